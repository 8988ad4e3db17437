# Looks into programs and libraries for what third_party/compiler_options.cmake asks of the compiler.
#
#   cmake -D READELF=readelf -D FILES=a;b -P hardened.cmake

foreach(file IN LISTS FILES)
  execute_process(COMMAND ${READELF} --wide --segments --dynamic ${file}
    OUTPUT_VARIABLE segments COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${READELF} --wide --dyn-syms ${file}
    OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  foreach(wanted IN ITEMS "GNU_RELRO" "BIND_NOW|Flags:[^\n]* NOW")
    if(NOT segments MATCHES "${wanted}")
      message(SEND_ERROR "${file}: has no ${wanted}")
    endif()
  endforeach()
  if(segments MATCHES "GNU_STACK[^\n]*RWE")
    message(SEND_ERROR "${file}: its stack can be executed")
  endif()
  # A function that ends the program when the stack was overrun, one of those that know the size of what they
  # write to, and that of the standard library's assertions.
  foreach(wanted IN ITEMS "__stack_chk_fail" "__(v?s?n?printf|fdelt|str[a-z]+|mem[a-z]+|read)_chk" "__glibcxx_assert_fail")
    if(NOT symbols MATCHES "${wanted}")
      message(SEND_ERROR "${file}: calls no ${wanted}")
    endif()
  endforeach()
endforeach()

# Compares what the shared library shows with the list in tests/golden/exported_symbols.txt.
#
#   cmake -D LIBRARY=<libbellows.so> -D NM=<nm> [-D WRITE=ON] -P tests/exported_symbols.cmake
#
# A C function that is gone, or has another version, breaks programs that are deployed: bring it back.
# For one that is new, write the list anew with -D WRITE=ON and commit it.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND ${NM} --dynamic --defined-only --demangle ${LIBRARY}
  OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
# Brackets and ';' mean something in CMake's lists.
string(REPLACE ";" "," symbols "${symbols}")
string(REPLACE "[abi:cxx11]" "" symbols "${symbols}")
string(REGEX REPLACE "(^|\n)[0-9a-f]+ [A-Za-z] " "\\1" symbols "${symbols}")
string(REGEX REPLACE "\n$" "" symbols "${symbols}")
string(REPLACE "\n" ";" symbols "${symbols}")
list(REMOVE_DUPLICATES symbols)
list(SORT symbols)
list(JOIN symbols "\n" found)
set(golden ${CMAKE_CURRENT_LIST_DIR}/golden/exported_symbols.txt)
if(WRITE)
  file(WRITE ${golden} "${found}\n")
  return()
endif()
file(READ ${golden} wanted)
if(NOT "${found}\n" STREQUAL wanted)
  string(REGEX REPLACE "\n$" "" wanted "${wanted}")
  string(REPLACE "\n" ";" wanted "${wanted}")
  foreach(symbol IN LISTS wanted)
    if(NOT symbol IN_LIST symbols)
      message(NOTICE "no longer exported: ${symbol}")
    endif()
  endforeach()
  foreach(symbol IN LISTS symbols)
    if(NOT symbol IN_LIST wanted)
      message(NOTICE "newly exported: ${symbol}")
    endif()
  endforeach()
  message(FATAL_ERROR "The symbols of ${LIBRARY} are not those of ${golden}")
endif()
list(LENGTH symbols count)
message(NOTICE "${count} symbols, all as they were.")

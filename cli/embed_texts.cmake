# bellows_embed_texts(<target> <header> <constant>=<file>...): compiles files into a target, each as
# the std::string_view bellows::cli::<constant> that <header> declares.
function(bellows_embed_texts target header)
  set(source "// Made by embed_texts.cmake.\n#include \"${header}\"\n\nnamespace bellows::cli {\n\n")
  foreach(pair IN LISTS ARGN)
    string(REGEX MATCH "^([A-Za-z]+)=(.+)$" matched "${pair}")
    set(constant ${CMAKE_MATCH_1})
    set(file ${CMAKE_MATCH_2})
    cmake_path(ABSOLUTE_PATH file)
    # A change of the file makes CMake run again.
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} text)
    string(APPEND source
      "const std::string_view ${constant} = R\"embedded(${text})embedded\";\n\n")
  endforeach()
  string(APPEND source "}  // namespace bellows::cli\n")
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${target}_texts.cc)
  file(CONFIGURE OUTPUT ${output} CONTENT "@source@" @ONLY)
  target_sources(${target} PRIVATE ${output})
endfunction()

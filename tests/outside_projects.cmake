# What integrators do with an installed Bellows, in folders outside of this tree, with nothing but
# what was installed: the examples through CMake over the shared and the static library, and through
# pkg-config. Included by embedded_build.cmake and packages.cmake.

# outside_projects(<prefix> <golden model>)
function(outside_projects prefix model)
  cmake_path(GET CMAKE_CURRENT_FUNCTION_LIST_DIR PARENT_PATH source)
  execute_process(COMMAND mktemp -d
    OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  file(COPY "${source}/examples/embed" "${source}/examples/embed_c" DESTINATION "${folder}")
  file(COPY "${model}" DESTINATION "${folder}")
  cmake_path(GET model FILENAME name)
  set(model "${folder}/${name}")
  set(profile "${folder}/tiny_profile.json")
  file(COPY_FILE "${source}/tests/golden/tiny_profile.json" "${profile}")

  # The same project over the static library.
  file(COPY "${folder}/embed/" DESTINATION "${folder}/embed_static")
  file(READ "${folder}/embed_static/CMakeLists.txt" text)
  string(REPLACE "bellows 0.1 REQUIRED" "bellows 0.1 REQUIRED COMPONENTS static" text "${text}")
  file(WRITE "${folder}/embed_static/CMakeLists.txt" "${text}")

  foreach(project IN ITEMS embed embed_static embed_c)
    set(program embed)
    if(project STREQUAL embed_c)
      set(program embed_c)
    endif()
    outside_run("${folder}" ${CMAKE_COMMAND} -G Ninja -S "${folder}/${project}"
      -B "${folder}/build_${project}" "-DCMAKE_PREFIX_PATH=${prefix}" -DCMAKE_BUILD_TYPE=Release)
    outside_run("${folder}" ${CMAKE_COMMAND} --build "${folder}/build_${project}")
    outside_run("${folder}" "${folder}/build_${project}/${program}" "${model}" "${profile}")
  endforeach()

  # A version or a part that is not there is an answer, not an end.
  file(WRITE "${folder}/asking/CMakeLists.txt" [[
    cmake_minimum_required(VERSION 3.25)
    project(asking LANGUAGES C)
    find_package(bellows 99 QUIET)
    if(bellows_FOUND)
      message(FATAL_ERROR "version 99 was found")
    endif()
    find_package(bellows QUIET COMPONENTS static)
    if(bellows_FOUND)
      message(FATAL_ERROR "the static library was found without C++")
    endif()
    find_package(bellows QUIET OPTIONAL_COMPONENTS static)
    if(NOT bellows_FOUND OR bellows_static_FOUND)
      message(FATAL_ERROR "a part that is optional was not")
    endif()
    find_package(bellows QUIET COMPONENTS static)
    if(NOT bellows_NOT_FOUND_MESSAGE MATCHES "LANGUAGES CXX")
      message(FATAL_ERROR "the reason is missing: ${bellows_NOT_FOUND_MESSAGE}")
    endif()
  ]])
  outside_run("${folder}" ${CMAKE_COMMAND} -G Ninja -S "${folder}/asking"
    -B "${folder}/build_asking" "-DCMAKE_PREFIX_PATH=${prefix}")

  file(GLOB_RECURSE pc "${prefix}/*/bellows.pc")
  cmake_path(GET pc PARENT_PATH pc_folder)
  set(pkg_config ${CMAKE_COMMAND} -E env "PKG_CONFIG_PATH=${pc_folder}" pkg-config)
  execute_process(COMMAND ${pkg_config} --variable=libdir bellows
    OUTPUT_VARIABLE libraries OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  foreach(module IN ITEMS bellows bellows-static)
    execute_process(COMMAND ${pkg_config} --cflags --libs ${module}
      OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    separate_arguments(flags UNIX_COMMAND "${flags}")
    outside_run("${folder}" cc -std=c99 -Wall -Wextra -Wpedantic -Werror embed_c/main.c -o ${module}
      ${flags} "-Wl,-rpath,${libraries}")
    outside_run("${folder}" "${folder}/${module}" "${model}")
    execute_process(COMMAND readelf --dynamic "${folder}/${module}"
      OUTPUT_VARIABLE needed COMMAND_ERROR_IS_FATAL ANY)
    if(needed MATCHES "libbellows" AND module STREQUAL "bellows-static"
        OR NOT needed MATCHES "libbellows" AND module STREQUAL "bellows")
      message(FATAL_ERROR "${module} links the wrong library: ${needed}")
    endif()
  endforeach()
  file(REMOVE_RECURSE "${folder}")
endfunction()

function(outside_run folder)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY "${folder}" COMMAND_ERROR_IS_FATAL ANY)
endfunction()

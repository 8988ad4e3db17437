# How our own code is compiled. Every target of ours links `bellows_options`, privately:
#
#   target_link_libraries(<target> PRIVATE $<BUILD_INTERFACE:bellows_options>)
#
# BUILD_INTERFACE keeps it out of the installed package, whose users have flags of their own.
# The optimisation level is the build type's. There is neither -march=native, so that a binary runs
# on every machine of its kind (oneDNN picks the instruction set at run time), nor -ffast-math,
# which would give up exact results.

add_library(bellows_options INTERFACE)
target_compile_options(bellows_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12, optimising, sees overlapping copies in "text" + std::string (its bug 105329).
  target_compile_options(bellows_options INTERFACE -Wno-restrict)
endif()
if(BELLOWS_WARNINGS_AS_ERRORS)
  target_compile_options(bellows_options INTERFACE -Werror)
endif()

# What is shipped ends rather than goes on with a broken stack, an overrun buffer or an index out of range,
# and its tables of functions cannot be overwritten. (Fortified functions want optimisation, and not a
# sanitizer's own.)
target_compile_options(bellows_options INTERFACE $<$<CONFIG:Release,MinSizeRel>:-fstack-protector-strong>)
target_compile_definitions(bellows_options INTERFACE
  $<$<CONFIG:Release,MinSizeRel>:_GLIBCXX_ASSERTIONS>)
if(NOT BELLOWS_SANITIZE)
  target_compile_definitions(bellows_options INTERFACE
    $<$<CONFIG:Release,MinSizeRel>:_FORTIFY_SOURCE=2>)
endif()
target_link_options(bellows_options INTERFACE
  $<$<CONFIG:Release,MinSizeRel>:LINKER:-z,relro,-z,now>)

if(BELLOWS_SANITIZE)
  target_compile_options(bellows_options INTERFACE
    -fsanitize=${BELLOWS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  # g++ sees uninitialised variables in instrumented code (std::regex) that are none.
  target_compile_options(bellows_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(bellows_options INTERFACE -fsanitize=${BELLOWS_SANITIZE})
endif()

if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(BELLOWS_CCACHE ccache)
  mark_as_advanced(BELLOWS_CCACHE)
  if(BELLOWS_CCACHE)
    # Precompiled headers carry times and macros that ccache has to be told to overlook.
    set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${BELLOWS_CCACHE})
  endif()
endif()

# Parsing the headers of others is most of the work of building from nothing. Off by default, and in
# the preset `dev`, so that a source which forgets an #include is noticed.
option(BELLOWS_PRECOMPILE_HEADERS "Parse the headers of others once for each library" OFF)

# bellows_precompile(<target> <header>...)
function(bellows_precompile target)
  if(BELLOWS_PRECOMPILE_HEADERS)
    target_precompile_headers(${target} PRIVATE
      <algorithm> <filesystem> <functional> <map> <memory> <optional> <span> <string> <vector>
      ${ARGN})
    if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
      # Precompiled, the standard library no longer counts as a system header, and g++ 12 then
      # reports its own false findings there (the bug above in other words).
      target_compile_options(${target} PRIVATE
        -fpch-preprocess -Wno-array-bounds -Wno-stringop-overflow)
    endif()
  endif()
endfunction()

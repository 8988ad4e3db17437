# The packages that a running model needs: all that an embedded build looks for, and all that a
# project linking an installed static Bellows has to find again. Stands alone for that reason.

# Stops with the name of what is missing and the way to get it.
function(bellows_missing what debian_packages)
  message(FATAL_ERROR
    "Bellows needs ${what}, which was not found. "
    "On Debian: apt-get install ${debian_packages}, or run third_party/install.sh for everything.")
endfunction()

# Makes the target bellows::<name> from the targets given last, or stops if `found` is not true.
function(bellows_dependency name what debian_packages found)
  if(NOT ${found})
    bellows_missing("${what}" "${debian_packages}")
  endif()
  if(NOT TARGET bellows::${name})
    add_library(bellows::${name} INTERFACE IMPORTED)
    target_link_libraries(bellows::${name} INTERFACE ${ARGN})
  endif()
endfunction()

# Looks up a package that has no CMake package of its own; makes PkgConfig::<prefix>.
macro(bellows_pkg_config prefix module)
  find_package(PkgConfig QUIET)
  if(NOT PKG_CONFIG_FOUND)
    bellows_missing("pkg-config" pkg-config)
  endif()
  pkg_check_modules(${prefix} QUIET IMPORTED_TARGET ${module})
endmacro()

find_package(Threads QUIET)
find_package(OpenMP QUIET COMPONENTS CXX)
bellows_dependency(openmp "OpenMP for C++" g++ OpenMP_CXX_FOUND
  OpenMP::OpenMP_CXX Threads::Threads)

# oneDNN is found by header and library and not by its own CMake package: Debian's asks for the
# OpenCL headers, which nothing here needs and libdnnl-dev does not bring. Set BELLOWS_ONEDNN_ROOT,
# or CMAKE_PREFIX_PATH, for a oneDNN of your own.
set(BELLOWS_ONEDNN_ROOT "" CACHE PATH "Where oneDNN is installed, if not where the system keeps it")
find_path(BELLOWS_ONEDNN_INCLUDE_DIR oneapi/dnnl/dnnl_version.h
  HINTS ${BELLOWS_ONEDNN_ROOT} PATH_SUFFIXES include)
find_library(BELLOWS_ONEDNN_LIBRARY dnnl HINTS ${BELLOWS_ONEDNN_ROOT} PATH_SUFFIXES lib lib64)
mark_as_advanced(BELLOWS_ONEDNN_INCLUDE_DIR BELLOWS_ONEDNN_LIBRARY)
if(NOT BELLOWS_ONEDNN_INCLUDE_DIR OR NOT BELLOWS_ONEDNN_LIBRARY)
  bellows_missing("oneDNN 2.6 or newer" libdnnl-dev)
endif()
file(STRINGS ${BELLOWS_ONEDNN_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h bellows_onednn_version
  REGEX "^#define DNNL_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
list(TRANSFORM bellows_onednn_version REPLACE "^[^ ]+ +[^ ]+ +([0-9]+).*" "\\1")
list(JOIN bellows_onednn_version "." bellows_onednn_version)
if(bellows_onednn_version VERSION_LESS 2.6 OR bellows_onednn_version VERSION_GREATER_EQUAL 4)
  message(FATAL_ERROR
    "Bellows needs oneDNN 2.6 or newer, or any 3.x, but ${BELLOWS_ONEDNN_INCLUDE_DIR} holds "
    "'${bellows_onednn_version}'. On Debian: apt-get install libdnnl-dev "
    "(third_party/install.sh), or point BELLOWS_ONEDNN_ROOT at another one.")
endif()
if(NOT TARGET bellows::onednn)
  message(STATUS "Found oneDNN ${bellows_onednn_version}: ${BELLOWS_ONEDNN_LIBRARY}")
  add_library(bellows::onednn UNKNOWN IMPORTED)
  set_target_properties(bellows::onednn PROPERTIES
    IMPORTED_LOCATION "${BELLOWS_ONEDNN_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${BELLOWS_ONEDNN_INCLUDE_DIR}"
    INTERFACE_LINK_LIBRARIES bellows::openmp)
endif()

bellows_pkg_config(BELLOWS_SODIUM libsodium)
bellows_dependency(sodium "libsodium" libsodium-dev BELLOWS_SODIUM_FOUND PkgConfig::BELLOWS_SODIUM)

find_package(nlohmann_json 3.9 CONFIG QUIET)
bellows_dependency(json "nlohmann-json 3.9+" nlohmann-json3-dev nlohmann_json_FOUND
  nlohmann_json::nlohmann_json)
# A value that silently becomes text is a mistake, such as printing what should be dumped.
target_compile_definitions(bellows::json INTERFACE JSON_USE_IMPLICIT_CONVERSIONS=0)

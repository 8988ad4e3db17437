# Keeps the rules of the house: who may include whom, where packages are confined, that the library
# neither prints nor exits, that nothing is left for later. Prints one line per breach and fails:
#
#   cmake [-D ROOT=<tree>] -P tests/check_includes.cmake
#
# Each rule is tried against a breach of it in check_includes_selftest.cmake; add to both.
cmake_minimum_required(VERSION 3.25)
if(NOT DEFINED ROOT)
  cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH ROOT)
endif()

# A folder of the library includes itself and what stands to its left; the others include all.
set(library_folders layers engine training cli)
set(other_folders bench tests examples)
set(breaches "")
set(no_name "[^A-Za-z0-9_]")       # before the name of a type, variable or function
set(no_member "[^A-Za-z0-9_.>]")   # the same, but object.name and pointer->name may stand

# Notes "path:line: message" for every place in `text` that matches. `text` begins with a line
# break of its own, so that the number of line breaks before a place is the number of its line.
function(refuse path text pattern message)
  set(lines_before 0)
  while(text MATCHES "${pattern}")
    set(hit "${CMAKE_MATCH_0}")
    string(FIND "${text}" "${hit}" begin)
    string(LENGTH "${hit}" length)
    math(EXPR end "${begin} + ${length}")
    string(SUBSTRING "${text}" 0 ${end} before)
    string(SUBSTRING "${text}" ${end} -1 text)
    string(REGEX MATCHALL "\n" line_breaks "${before}")
    list(LENGTH line_breaks count)
    math(EXPR lines_before "${lines_before} + ${count}")
    string(STRIP "${hit}" hit)
    set_property(GLOBAL APPEND PROPERTY breaches "${path}:${lines_before}: '${hit}': ${message}")
  endwhile()
endfunction()

# The folder that a library header lives in, or nothing.
function(folder_of header result)
  set(${result} "" PARENT_SCOPE)
  foreach(folder IN LISTS library_folders other_folders)
    if(header MATCHES "^${folder}/" OR EXISTS "${ROOT}/${folder}/include/${header}")
      set(${result} ${folder} PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

function(check_directions path folder text)
  list(FIND library_folders ${folder} rank)
  string(REGEX MATCHALL "\n *# *include *[<\"][^>\"\n]+[>\"]" includes "${text}")
  list(REMOVE_DUPLICATES includes)
  foreach(include IN LISTS includes)
    string(REGEX REPLACE ".*[<\"]([^>\"]+)[>\"]$" "\\1" header "${include}")
    string(REGEX REPLACE "([][.+*?^$()|\\])" "\\\\\\1" pattern "${include}")
    if(header MATCHES "(^|/)\\.\\./")
      refuse(${path} "${text}" "${pattern}" "name headers from the root of the repository")
    endif()
    folder_of(${header} other)
    list(FIND library_folders "${other}" other_rank)
    if(other AND (other_rank EQUAL -1 OR other_rank GREATER rank))
      refuse(${path} "${text}" "${pattern}" "${folder}/ must not include ${other}/")
    endif()
    if(path MATCHES "/include/bellows/" AND NOT header MATCHES "^(bellows/.*|[a-z_]+(\\.h)?)$")
      refuse(${path} "${text}" "${pattern}" "a public header includes standard headers only")
    endif()
  endforeach()
endfunction()

# Only sources that match `allowed` may match `pattern`.
function(confine path text pattern allowed what)
  if(NOT path MATCHES "^(${allowed})")
    refuse(${path} "${text}" "${pattern}" "${what}")
  endif()
endfunction()

function(check_library_source path folder text)
  string(REGEX REPLACE "//[^\n]*" "" text "${text}")
  check_directions(${path} ${folder} "${text}")
  confine(${path} "${text}" "[Dd][Nn][Nn][Ll]" "[a-z/_0-9]*_onednn\\.|engine/plan[a-z_]*\\."
    "oneDNN belongs in *_onednn.* and engine/plan.*")
  confine(${path} "${text}" "${no_name}Eigen(/|::)" "[a-z/_0-9]*_reference\\.cc$|training/"
    "Eigen belongs in *_reference.cc and training/")
  confine(${path} "${text}" "${no_name}toml(\\+\\+|::)" "training/" "toml++ belongs in training/")
  confine(${path} "${text}" "${no_name}cxxopts" "cli/" "cxxopts belongs in cli/")
  confine(${path} "${text}" "nlohmann" "engine/|training/|cli/"
    "nlohmann-json belongs in engine/, training/ and cli/")
  confine(${path} "${text}" "[<\"](onnx|google/protobuf)/|${no_name}onnx::" "engine/onnx_export\\.cc$"
    "ONNX and protobuf belong in engine/onnx_export.cc")
  confine(${path} "${text}" "[<\"](archive(_entry)?|matio)\\.h[>\"]" "training/"
    "libarchive and matio belong in training/")
  confine(${path} "${text}" "[<\"](curl/[a-z]+|zlib)\\.h[>\"]" "training/"
    "libcurl and zlib belong in training/")
  confine(${path} "${text}" "[<\"]ft2build\\.h[>\"]" "training/data/street_fonts\\.cc"
    "FreeType belongs in training/data/street_fonts.cc")
  confine(${path} "${text}" "[<\"]mpi\\.h[>\"]" "training/ranks\\.cc"
    "MPI belongs in training/ranks.cc")
  confine(${path} "${text}" "[<\"](libpng[0-9]*/)?png\\.h[>\"]" "training/|cli/"
    "libpng belongs in training/ and cli/")
  confine(${path} "${text}" "[<\"](coin/)?(Cbc|Clp|Coin|Osi)[A-Za-z]+\\.h(pp)?[>\"]"
    "training/policies/mixture_program\\.cc$" "CBC belongs in training/policies/mixture_program.cc")
  confine(${path} "${text}" "${no_name}sodium(\\.h|_init)" "engine/|training/|cli/"
    "libsodium belongs in engine/, training/ and cli/")
  foreach(printing IN ITEMS "<iostream>" "std::w?(cout|cerr|clog)"
      "${no_name}std(out|err)[^A-Za-z_]" "${no_member}v?printf *\\(" "${no_member}(puts|putchar|perror) *\\(")
    confine(${path} "${text}" "${printing}" "cli/" "only cli/ prints")
  endforeach()
  foreach(ending IN ITEMS "${no_member}(_exit|_Exit|exit|quick_exit|abort) *\\("
      "std::terminate *\\(" "${no_name}assert *\\(")
    confine(${path} "${text}" "${ending}" "cli/"
      "only cli/ ends the program; throw bellows::Error instead")
  endforeach()
endfunction()

function(check_any_text path text)
  # Written with brackets so that this file does not refuse itself.
  refuse(${path} "${text}" "(TO[D]O|FIX[M]E)" "finish it, or write it down elsewhere")
  refuse(${path} "${text}" "(DISABLE[D]_|\n *# *if +[0])" "no code that is switched off")
  refuse(${path} "${text}" "[^A-Za-z0-9_.~}*<>-]/(home|root|work|farm|tmp|opt|mnt|Users)/[^\"' \n]*"
    "no path of one machine")
endfunction()

set(patterns "")
foreach(folder IN LISTS library_folders other_folders)
  foreach(extension IN ITEMS h cc c def inc)
    list(APPEND patterns "${ROOT}/${folder}/*.${extension}")
  endforeach()
endforeach()
file(GLOB_RECURSE sources RELATIVE "${ROOT}" ${patterns})

set(patterns "")
foreach(folder IN LISTS library_folders other_folders ITEMS configs scripts third_party)
  list(APPEND patterns "${ROOT}/${folder}/*.cmake" "${ROOT}/${folder}/CMakeLists.txt"
    "${ROOT}/${folder}/*.html" "${ROOT}/${folder}/*.css" "${ROOT}/${folder}/*.js"
    "${ROOT}/${folder}/*.toml" "${ROOT}/${folder}/*.sh" "${ROOT}/${folder}/*.py")
endforeach()
file(GLOB_RECURSE texts RELATIVE "${ROOT}" ${patterns})
file(GLOB scripts RELATIVE "${ROOT}" "${ROOT}/scripts/*" "${ROOT}/.ci/*" "${ROOT}/CMake*")
list(APPEND texts ${scripts})
list(REMOVE_DUPLICATES texts)

foreach(path IN LISTS sources texts)
  if(IS_DIRECTORY "${ROOT}/${path}")
    continue()
  endif()
  file(READ "${ROOT}/${path}" text)
  # CMake splits lists at ';' and counts brackets in them; neither matters to any rule.
  string(REPLACE ";" "," text "\n${text}")
  check_any_text(${path} "${text}")
  string(REGEX MATCH "^[a-z]+" folder "${path}")
  if(path IN_LIST sources AND folder IN_LIST library_folders)
    check_library_source(${path} ${folder} "${text}")
  endif()
endforeach()

list(LENGTH sources count)
if(count EQUAL 0)
  message(FATAL_ERROR "check_includes: no source found below ${ROOT}")
endif()
get_property(breaches GLOBAL PROPERTY breaches)
if(breaches)
  list(JOIN breaches "\n" report)
  message(NOTICE "${report}")
  message(FATAL_ERROR "The rules of the house are broken (CONTRIBUTING.md tells what they are).")
endif()
message(NOTICE "${count} sources keep the rules of the house.")

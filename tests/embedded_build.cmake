# Builds the preset `embedded` in a scratch folder where the packages of training, command and tests
# are neither found by CMake nor includable, runs its check, installs it, and lets outside projects
# use it.
#
#   cmake -D SCRATCH=<folder> -P tests/embedded_build.cmake
cmake_minimum_required(VERSION 3.25)
if(NOT SCRATCH)
  message(FATAL_ERROR "embedded_build: give a folder to write to with -D SCRATCH=<folder>")
endif()
cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH source)
include(${CMAKE_CURRENT_LIST_DIR}/outside_projects.cmake)

function(run)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY "${source}" COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# Headers in the system's include folder cannot be hidden, but they can be preceded.
set(barrier "${SCRATCH}/barrier")
foreach(header IN ITEMS Eigen/Core Eigen/Dense toml++/toml.h toml++/toml.hpp cxxopts.hpp
    gtest/gtest.h gmock/gmock.h benchmark/benchmark.h archive.h archive_entry.h matio.h png.h
    curl/curl.h zlib.h onnx/onnx_pb.h google/protobuf/message.h)
  file(CONFIGURE OUTPUT "${barrier}/${header}"
    CONTENT "#error an embedded build must not need ${header}\n")
endforeach()
set(hidden "")
foreach(package IN ITEMS Eigen3 tomlplusplus cxxopts LibArchive PNG CURL ZLIB GTest benchmark Protobuf ONNX)
  list(APPEND hidden -D CMAKE_DISABLE_FIND_PACKAGE_${package}=ON)
endforeach()

run(${CMAKE_COMMAND} --preset embedded -B "${SCRATCH}/build" ${hidden}
  "-DCMAKE_CXX_FLAGS=-I${barrier}" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0
  "-DCMAKE_INSTALL_PREFIX=${SCRATCH}/installed")
run(${CMAKE_COMMAND} --build "${SCRATCH}/build")
run(${CMAKE_CTEST_COMMAND} --test-dir "${SCRATCH}/build" --no-tests=error --output-on-failure)
file(REMOVE_RECURSE "${SCRATCH}/installed")
run(${CMAKE_COMMAND} --install "${SCRATCH}/build")

outside_projects("${SCRATCH}/installed" "${source}/tests/golden/tiny.safetensors")

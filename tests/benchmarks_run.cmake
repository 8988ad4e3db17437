# Runs a part of the benchmarks and looks for every counter that docs/benchmarks.md explains.
# Usage: cmake -D BENCH=<bellows_bench> -D STEP_TIMES=<bellows_step_times> -P benchmarks_run.cmake
cmake_minimum_required(VERSION 3.25)
set(root ${CMAKE_CURRENT_LIST_DIR}/..)

execute_process(
  COMMAND ${BENCH} --benchmark_format=json
    --benchmark_filter=width:1/|refining/mnist_lenet|switching/mnist_lenet|training/cifar10_convnet
  OUTPUT_VARIABLE printed COMMAND_ERROR_IS_FATAL ANY)

file(STRINGS ${root}/docs/benchmarks.md rows REGEX "^\\| `")
set(counters "")
foreach(row IN LISTS rows)
  string(REGEX MATCH "^\\|[^|]*\\|" cell "${row}")
  string(REGEX MATCHALL "`[A-Za-z_]+`" names "${cell}")
  list(APPEND counters ${names})
endforeach()
# Who has no ONNX Runtime has no times of it.
if(printed MATCHES "install_onnxruntime")
  list(REMOVE_ITEM counters "`whole_us`" "`split_us`" "`fastest_us`")
endif()
list(LENGTH counters count)
if(count LESS 20)
  message(FATAL_ERROR "docs/benchmarks.md explains only these counters: ${counters}")
endif()
foreach(name IN LISTS counters)
  string(REPLACE "`" "" name ${name})
  if(NOT printed MATCHES "\"${name}\": -?[0-9]")
    message(SEND_ERROR "docs/benchmarks.md explains '${name}', which no benchmark prints")
  elseif(printed MATCHES "\"${name}\": 0\\.0+e\\+00")
    message(SEND_ERROR "a benchmark prints 0 for '${name}'")
  endif()
endforeach()

set(network ${root}/configs/digits/lenet.toml)
foreach(arguments IN ITEMS "infer;${network}" "dense;${network};1" "learn;${network};8;1"
                           "learn;${network};8;1;4")
  execute_process(COMMAND ${STEP_TIMES} ${arguments} OUTPUT_VARIABLE printed
    COMMAND_ERROR_IS_FATAL ANY)
  if(NOT printed MATCHES "[1-9][0-9.]* us .*conv1")
    message(SEND_ERROR "step times of '${arguments}' lack a convolution's: ${printed}")
  endif()
endforeach()

# Runs a part of the benchmarks and looks for every counter that docs/benchmarks.md explains.
# Usage: cmake -D BENCH=<bellows_bench> -D STEP_TIMES=<bellows_step_times> -D PEERS=<bellows_peers>
#   -D TRAINING_PEERS=<bellows_training_peers> -D RANK_SUMS=<bellows_rank_sums> -P benchmarks_run.cmake
cmake_minimum_required(VERSION 3.25)
set(root ${CMAKE_CURRENT_LIST_DIR}/..)

execute_process(
  COMMAND ${BENCH} --benchmark_format=json
    --benchmark_filter=width:1/|refining/mnist_lenet|switching/mnist_lenet|training/cifar10_convnet|growing/cifar10_convnet_f32|controller
  OUTPUT_VARIABLE printed COMMAND_ERROR_IS_FATAL ANY)

file(STRINGS ${root}/docs/benchmarks.md rows REGEX "^\\| `")
set(counters "")
foreach(row IN LISTS rows)
  string(REGEX MATCH "^\\|[^|]*\\|" cell "${row}")
  string(REGEX MATCHALL "`[A-Za-z_0-9]+`" names "${cell}")
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
foreach(arguments IN ITEMS "infer;${network}" "direct;${network}" "dense;${network};1" "learn;${network};8;1"
                           "learn;${network};8;1;4" "learn-bf16;${network};8;1")
  execute_process(COMMAND ${STEP_TIMES} ${arguments} OUTPUT_VARIABLE printed
    COMMAND_ERROR_IS_FATAL ANY)
  if(NOT printed MATCHES "[1-9][0-9.]* us .*conv1")
    message(SEND_ERROR "step times of '${arguments}' lack a convolution's: ${printed}")
  endif()
endforeach()

# Beside ONNX Runtime, where it is.
execute_process(COMMAND ${PEERS} --network digits/lenet --batch 1 --threads 1 --rounds 1
  OUTPUT_VARIABLE printed ERROR_VARIABLE problem RESULT_VARIABLE result)
if(problem MATCHES "install_onnxruntime")
  message(NOTICE "bellows_peers is skipped: ${problem}")
elseif(NOT result EQUAL 0)
  message(SEND_ERROR "bellows_peers failed: ${problem}")
else()
  # Each table has a row of this network: times at four widths, changes, memory, first answers.
  string(REGEX MATCHALL "\n\\| digits/lenet [^\n]*[1-9]" rows "${printed}")
  list(LENGTH rows count)
  if(NOT count EQUAL 8)
    message(SEND_ERROR "bellows_peers should print 8 rows, it printed: ${printed}")
  endif()
endif()

# Beside PyTorch, where it is.
execute_process(COMMAND /usr/bin/python3 -c "import torch" RESULT_VARIABLE result OUTPUT_QUIET ERROR_QUIET)
if(NOT result EQUAL 0)
  message(NOTICE "bellows_training_peers is skipped: there is no PyTorch (third_party/install.sh --pytorch)")
else()
  execute_process(COMMAND ${TRAINING_PEERS} --network mnist/lenet --batch 16 --turns 1
    OUTPUT_VARIABLE printed ERROR_VARIABLE problem RESULT_VARIABLE result)
  # Images a second of ours twice and of PyTorch's three ways, and three ratios.
  if(NOT result EQUAL 0 OR NOT printed MATCHES "mnist/lenet +[0-9.]+ M( +[1-9][0-9.]*)( +[0-9.]+)+")
    message(SEND_ERROR "bellows_training_peers failed: ${printed} ${problem}")
  endif()
endif()

# Two ranks, where there is MPI.
find_program(MPIRUN mpirun)
if(NOT MPIRUN)
  message(NOTICE "bellows_rank_sums is skipped: there is no mpirun")
else()
  set(ENV{OMPI_ALLOW_RUN_AS_ROOT} 1)
  set(ENV{OMPI_ALLOW_RUN_AS_ROOT_CONFIRM} 1)
  execute_process(COMMAND ${MPIRUN} --oversubscribe -n 2 ${RANK_SUMS} 0.01 0.1
    OUTPUT_VARIABLE printed ERROR_VARIABLE problem RESULT_VARIABLE result)
  string(REGEX MATCHALL "MB  2 ranks +[0-9.]+ ms" rows "${printed}")
  list(LENGTH rows count)
  if(problem MATCHES "usage: mpirun")
    message(NOTICE "bellows_rank_sums is skipped: it was built without MPI")
  elseif(NOT result EQUAL 0 OR NOT count EQUAL 2)
    message(SEND_ERROR "bellows_rank_sums failed: ${printed} ${problem}")
  endif()
endif()

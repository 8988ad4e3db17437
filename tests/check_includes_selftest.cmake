# Shows check_includes.cmake a small tree for every rule it keeps, with one breach, and expects the
# breach to be named by file and line; then a tree without any, and expects silence.
#
#   cmake -D SCRATCH=<folder> -P tests/check_includes_selftest.cmake
cmake_minimum_required(VERSION 3.25)
if(NOT SCRATCH)
  message(FATAL_ERROR "check_includes_selftest: give a folder to write to with -D SCRATCH=<folder>")
endif()

# Runs the check over a tree of one file (and a public header of engine/ to include).
function(check_tree path content)
  file(REMOVE_RECURSE "${SCRATCH}")
  file(WRITE "${SCRATCH}/engine/include/bellows/model.h" "#pragma once\n#include <string>\n")
  file(WRITE "${SCRATCH}/${path}" "${content}")
  execute_process(
    COMMAND ${CMAKE_COMMAND} -D ROOT=${SCRATCH} -P ${CMAKE_CURRENT_LIST_DIR}/check_includes.cmake
    RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  set(status "${status}" PARENT_SCOPE)
  set(output "${output}" PARENT_SCOPE)
endfunction()

# The breach stands in line 3, after a comment and a blank line.
function(expect_refusal path line words)
  check_tree("${path}" "// A ; comment [ with ] signs.\n\n${line}\nint x;\n")
  string(FIND "${output}" "${path}:3: " place)
  string(FIND "${output}" "${words}" reason)
  if(status EQUAL 0 OR place EQUAL -1 OR reason EQUAL -1)
    message(SEND_ERROR
      "not refused as '${path}:3: ... ${words}': ${line}\nThe check said: ${output}")
  endif()
endfunction()

function(expect_silence path content)
  check_tree("${path}" "${content}")
  if(NOT status EQUAL 0)
    message(SEND_ERROR "refused without a reason: ${path}\n${output}")
  endif()
endfunction()

# Directions.
expect_refusal(layers/a.cc "#include \"engine/plan.h\"" "layers/ must not include engine/")
expect_refusal(layers/a.cc "#include <bellows/model.h>" "layers/ must not include engine/")
expect_refusal(layers/a.h "#include \"training/loss.h\"" "layers/ must not include training/")
expect_refusal(engine/a.cc "#include \"training/loss.h\"" "engine/ must not include training/")
expect_refusal(engine/a.cc "#  include \"cli/verbs.h\"" "engine/ must not include cli/")
expect_refusal(training/a.cc "#include \"cli/verbs.h\"" "training/ must not include cli/")
expect_refusal(cli/a.cc "#include \"tests/helper.h\"" "cli/ must not include tests/")
expect_refusal(engine/a.cc "#include \"../training/loss.h\"" "from the root of the repository")
expect_refusal(engine/include/bellows/a.h "#include \"engine/plan.h\"" "standard headers only")
expect_refusal(engine/include/bellows/a.h "#include <nlohmann/json.hpp>" "standard headers only")

# Confined packages.
expect_refusal(layers/conv.cc "#include <oneapi/dnnl/dnnl.hpp>" "oneDNN belongs in")
expect_refusal(engine/session.cc "dnnl::stream stream;" "oneDNN belongs in")
expect_refusal(cli/a.cc "dnnl_version();" "oneDNN belongs in")
expect_refusal(layers/conv.cc "#include <Eigen/Core>" "Eigen belongs in")
expect_refusal(engine/a.cc "Eigen::MatrixXf m;" "Eigen belongs in")
expect_refusal(layers/conv_reference.h "#include <Eigen/Core>" "Eigen belongs in")
expect_refusal(engine/a.cc "#include <toml++/toml.h>" "toml++ belongs in")
expect_refusal(cli/a.cc "toml::table table;" "toml++ belongs in")
expect_refusal(training/a.cc "#include <cxxopts.hpp>" "cxxopts belongs in")
expect_refusal(layers/a.cc "#include <nlohmann/json.hpp>" "nlohmann-json belongs in")
expect_refusal(engine/a.cc "#include <onnx/onnx_pb.h>" "ONNX and protobuf belong in")
expect_refusal(cli/a.cc "onnx::ModelProto model;" "ONNX and protobuf belong in")
expect_refusal(training/a.cc "#include <google/protobuf/message.h>" "ONNX and protobuf belong in")
expect_refusal(cli/a.cc "#include <archive.h>" "libarchive and matio belong in")
expect_refusal(engine/a.cc "#include <matio.h>" "libarchive and matio belong in")
expect_refusal(cli/a.cc "#include <curl/curl.h>" "libcurl and zlib belong in")
expect_refusal(engine/a.cc "#include <zlib.h>" "libcurl and zlib belong in")
expect_refusal(training/data/a.cc "#include <ft2build.h>" "FreeType belongs in")
expect_refusal(training/a.cc "#include <mpi.h>" "MPI belongs in")
expect_refusal(engine/a.cc "#include <png.h>" "libpng belongs in")
expect_refusal(training/policies/tuner.cc "#include <CbcModel.hpp>" "CBC belongs in")
expect_refusal(engine/a.cc "#include <coin/OsiClpSolverInterface.hpp>" "CBC belongs in")
expect_refusal(layers/a.cc "#include <sodium.h>" "libsodium belongs in")

# Printing and ending.
foreach(code IN ITEMS "#include <iostream>" "std::cout << 1," "std::cerr << 1," "std::clog << 1,"
    "std::fprintf(stderr, text)," "std::fputs(text, stdout)," "printf(text)," "std::printf(text),"
    "vprintf(text, list)," "std::puts(text)," "std::putchar(1)," "std::perror(text),")
  expect_refusal(training/a.cc "${code}" "only cli/ prints")
endforeach()
foreach(code IN ITEMS "std::exit(1)," "exit (1)," "_exit(1)," "std::quick_exit(1)," "std::abort(),"
    "abort()," "std::terminate()," "assert(x > 0),")
  expect_refusal(engine/a.cc "${code}" "only cli/ ends the program")
endforeach()

# Left for later, switched off, bound to one machine.
expect_refusal(tests/a_test.cc "// TO${empty}DO: later" "finish it")
expect_refusal(training/a.cc "x = 1, // FIX${empty}ME" "finish it")
expect_refusal(cli/CMakeLists.txt "# TO${empty}DO" "finish it")
expect_refusal(tests/a_test.cc "TEST(Suite, DISABLE${empty}D_Claim) {" "switched off")
expect_refusal(engine/a.cc "#if ${empty}0" "switched off")
expect_refusal(tests/a_test.cc "open(\"/${empty}tmp/file\")," "no path of one machine")
expect_refusal(cli/page.js "fetch('/${empty}home/me/data')" "no path of one machine")
expect_refusal(configs/a.toml "data = \"/${empty}home/me/data\"" "no path of one machine")

# What is allowed, each in the place where it is.
set(harmless "// Never calls abort() or exit(); see dnnl, Eigen:: and std::cout.
#include <cstdio>
static_assert(sizeof(int) == 4);
int f(char* out) { return std::snprintf(out, 3, \"%d\", 1); }
void g(Job& job, Job* other) { job.abort(); other->exit(); on_exit_(1); }
const char* const kPower = \"/sys/class/powercap\";
")
expect_silence(layers/a.cc "${harmless}")
expect_silence(layers/conv_onednn.cc "#include <oneapi/dnnl/dnnl.hpp>\n#include \"layers/a.h\"\n")
expect_silence(layers/conv_reference.cc "#include <Eigen/Core>\n")
expect_silence(engine/plan.h "#include \"layers/a.h\"\n#include <oneapi/dnnl/dnnl.hpp>\n")
expect_silence(engine/onnx_export.cc "#include <onnx/onnx_pb.h>\nonnx::ModelProto model;\n")
expect_silence(engine/a.cc "#include <bellows/model.h>\n#include <nlohmann/json.hpp>\n")
expect_silence(training/a.cc
  "#include <Eigen/Core>\n#include <curl/curl.h>\n#include <matio.h>\n#include <toml++/toml.h>
#include <zlib.h>\n#include \"engine/a.h\"\n")
expect_silence(training/policies/mixture_program.cc "#include <CbcModel.hpp>\n")
expect_silence(cli/a.cc
  "#include <cxxopts.hpp>\n#include <iostream>\nint f() { std::exit(2); }\n")
expect_silence(tests/a_test.cc
  "#include \"cli/a.h\"\n#include <Eigen/Core>\n#include <iostream>\n")
expect_silence(bench/a.cc "#include <oneapi/dnnl/dnnl.hpp>\n#include \"training/a.h\"\n")

file(REMOVE_RECURSE "${SCRATCH}")

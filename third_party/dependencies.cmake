# Finds everything Bellows is built on and gives each package one target, `bellows::<name>`. All of
# them are imported, so that compilers take their headers as system headers: our warnings stop at
# our own code. Which folder may link which is a table in third_party/README.md.

include(${CMAKE_CURRENT_LIST_DIR}/runtime_dependencies.cmake)

if(BELLOWS_EMBEDDED)
  return()
endif()

find_package(Eigen3 3.4 CONFIG QUIET)
bellows_dependency(eigen "Eigen 3.4+" libeigen3-dev Eigen3_FOUND Eigen3::Eigen)

find_package(tomlplusplus CONFIG QUIET)
bellows_dependency(toml "toml++" libtomlplusplus-dev tomlplusplus_FOUND tomlplusplus::tomlplusplus)

bellows_pkg_config(BELLOWS_CBC cbc osi-clp)
bellows_dependency(cbc "CBC" coinor-libcbc-dev BELLOWS_CBC_FOUND PkgConfig::BELLOWS_CBC)

find_package(cxxopts CONFIG QUIET)
bellows_dependency(cxxopts "cxxopts" libcxxopts-dev cxxopts_FOUND cxxopts::cxxopts)

find_package(LibArchive QUIET)
bellows_dependency(archive "libarchive" libarchive-dev LibArchive_FOUND LibArchive::LibArchive)

bellows_pkg_config(BELLOWS_MATIO matio)
bellows_dependency(matio "matio" libmatio-dev BELLOWS_MATIO_FOUND PkgConfig::BELLOWS_MATIO)

find_package(PNG QUIET)
bellows_dependency(png "libpng" libpng-dev PNG_FOUND PNG::PNG)

find_package(Freetype QUIET)
bellows_dependency(freetype "FreeType" libfreetype-dev FREETYPE_FOUND Freetype::Freetype)

find_package(CURL 7.85 QUIET)
bellows_dependency(curl "libcurl 7.85+" libcurl4-openssl-dev CURL_FOUND CURL::libcurl)

find_package(ZLIB QUIET)
bellows_dependency(zlib "zlib" zlib1g-dev ZLIB_FOUND ZLIB::ZLIB)

# A text that is compiled in, so it needs no target.
find_file(BELLOWS_CHART_JS chart.min.js
  PATHS ${CMAKE_SYSTEM_PREFIX_PATH} PATH_SUFFIXES share/javascript/chart.js)
mark_as_advanced(BELLOWS_CHART_JS)
if(NOT BELLOWS_CHART_JS)
  bellows_missing("Chart.js 3.9+" libjs-chart.js)
endif()

# Debian's ONNX wants the target of protobuf's library to be there.
find_package(Protobuf QUIET)
if(Protobuf_FOUND)
  find_package(ONNX CONFIG QUIET)
endif()
bellows_dependency(onnx "ONNX and protobuf" "libonnx-dev libprotobuf-dev" ONNX_FOUND onnx_proto)

# Optional: training on several machines. Its C++ interface is out of use and full of warnings.
set(MPI_CXX_SKIP_MPICXX ON)
find_package(MPI 3 QUIET COMPONENTS CXX)

if(BELLOWS_BUILD_TESTS)
  bellows_dependency(onnx_checker "ONNX's checker" libonnx-dev ONNX_FOUND onnx onnx_proto)

  find_package(GTest CONFIG QUIET)
  if(NOT TARGET GTest::gmock OR NOT TARGET GTest::gtest_main)
    bellows_missing("GoogleTest with GoogleMock" "libgtest-dev libgmock-dev")
  endif()
endif()

if(BELLOWS_BUILD_BENCHMARKS)
  find_package(benchmark CONFIG QUIET)
  if(NOT TARGET benchmark::benchmark)
    bellows_missing("Google Benchmark" libbenchmark-dev)
  endif()
endif()

# What find_package(bellows) reads: the packages that the engine runs on, then the engine itself.
include(${CMAKE_CURRENT_LIST_DIR}/runtime_dependencies.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/bellowsTargets.cmake)

# Makes the Debian packages out of a finished build, unpacks them into a scratch folder, looks at
# their dependencies, and lets outside projects use them.
#
#   cmake -D BUILD=<build folder> -D SCRATCH=<folder> -P tests/packages.cmake
cmake_minimum_required(VERSION 3.25)
cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH source)
include(${CMAKE_CURRENT_LIST_DIR}/outside_projects.cmake)

file(REMOVE_RECURSE "${SCRATCH}")
execute_process(COMMAND cpack --config "${BUILD}/CPackConfig.cmake" -B "${SCRATCH}/packages"
  WORKING_DIRECTORY "${BUILD}" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)

# needs(<package> <dependency>...): the one package of that name depends on each of them.
function(needs name)
  file(GLOB package "${SCRATCH}/packages/${name}_*.deb")
  list(LENGTH package count)
  if(NOT count EQUAL 1)
    message(FATAL_ERROR "there should be one package ${name}, there is: '${package}'")
  endif()
  execute_process(COMMAND dpkg-deb --field ${package} Depends
    OUTPUT_VARIABLE depends COMMAND_ERROR_IS_FATAL ANY)
  foreach(dependency IN LISTS ARGN)
    if(NOT ", ${depends}" MATCHES ", ${dependency}[ ,\n]")
      message(FATAL_ERROR "${name} should depend on ${dependency}, it has: ${depends}")
    endif()
  endforeach()
  execute_process(COMMAND dpkg-deb --extract ${package} "${SCRATCH}/root"
    COMMAND_ERROR_IS_FATAL ANY)
endfunction()
needs(libbellows0.1 libdnnl2 libsodium23 libgomp1 libstdc\\+\\+6 libc6)
needs(libbellows-dev libbellows0.1 libdnnl-dev libsodium-dev)
needs(bellows libdnnl2 libsodium23 libarchive13 libmatio11 libpng16-16 libcurl4)

foreach(file IN ITEMS bin/bellows share/bellows/configs/mnist/lenet.toml
    include/bellows/bellows.h include/bellows/bellows_c.h)
  if(NOT EXISTS "${SCRATCH}/root/usr/${file}")
    message(FATAL_ERROR "no package has /usr/${file}")
  endif()
endforeach()
execute_process(COMMAND "${SCRATCH}/root/usr/bin/bellows" inspect
  "${SCRATCH}/root/usr/share/bellows/configs/mnist/lenet.toml"
  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
outside_projects("${SCRATCH}/root/usr" "${source}/tests/golden/tiny.safetensors")

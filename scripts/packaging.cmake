# `cpack` makes Debian packages: the shared library, what is needed to build with it, the command.
# Dependencies come from the libraries that the files are linked with (dpkg-shlibdeps).
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME bellows)
set(CPACK_PACKAGE_VENDOR "The Bellows developers")
set(CPACK_PACKAGE_CONTACT "The Bellows developers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION libs)

set(library_package libbellows${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "The library that runs trained networks at any width.")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME ${library_package})
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
  "Headers for C++ and C, the static library, files for CMake and pkg-config.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libbellows-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SHLIBDEPS OFF)
# The static library is linked with the last two.
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "${library_package} (= ${PROJECT_VERSION}), libdnnl-dev, libsodium-dev")
set(CPACK_COMPONENTS_ALL runtime development)
if(TARGET bellows_command)
  list(APPEND CPACK_COMPONENTS_ALL command)
  set(CPACK_COMPONENT_COMMAND_DESCRIPTION
    "The command that trains, measures and runs networks, with configurations to start from.")
  set(CPACK_DEBIAN_COMMAND_PACKAGE_NAME bellows)
  set(CPACK_DEBIAN_COMMAND_PACKAGE_SECTION science)
endif()
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} upper)
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE RENAME copyright
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME}
    COMPONENT ${component})
endforeach()
include(CPack)

# Builds for 64-bit Arm with Debian's cross compiler, and runs tests by QEMU. The libraries of the
# target are those that `third_party/install.sh --aarch64` unpacks below build/; set
# BELLOWS_AARCH64_ROOT to have them elsewhere.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

set(BELLOWS_AARCH64_ROOT "${CMAKE_CURRENT_LIST_DIR}/../build/aarch64-root" CACHE PATH
  "Where the target's libraries are unpacked")
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES BELLOWS_AARCH64_ROOT)
file(REAL_PATH "${BELLOWS_AARCH64_ROOT}" CMAKE_FIND_ROOT_PATH)
if(NOT EXISTS "${CMAKE_FIND_ROOT_PATH}/usr/lib/aarch64-linux-gnu")
  message(FATAL_ERROR "No libraries for 64-bit Arm in ${CMAKE_FIND_ROOT_PATH}: "
    "run third_party/install.sh --aarch64, or point BELLOWS_AARCH64_ROOT at them.")
endif()
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} "${CMAKE_FIND_ROOT_PATH}")
set(ENV{PKG_CONFIG_LIBDIR} "${CMAKE_FIND_ROOT_PATH}/usr/lib/aarch64-linux-gnu/pkgconfig")

# The compiler's own libraries (C, C++, OpenMP) lie where Debian's cross packages keep them.
find_program(BELLOWS_QEMU_AARCH64 NAMES qemu-aarch64 qemu-aarch64-static)
mark_as_advanced(BELLOWS_QEMU_AARCH64)
if(BELLOWS_QEMU_AARCH64)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${BELLOWS_QEMU_AARCH64} -L /usr/aarch64-linux-gnu)
endif()

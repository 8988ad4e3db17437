// The version of Bellows, and how its symbols are marked. CMake reads the numbers from here.
#pragma once

#define BELLOWS_VERSION_MAJOR 0
#define BELLOWS_VERSION_MINOR 1
#define BELLOWS_VERSION_PATCH 0

// On what the shared library exports; everything else stays inside.
#if defined(__GNUC__)
#define BELLOWS_API __attribute__((visibility("default")))
#else
#define BELLOWS_API
#endif

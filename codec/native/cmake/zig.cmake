# A toolchain: the C++ compiler inside the PyPI package `ziglang`.
#
#   cmake -S codec/native -B <dir> -DCMAKE_TOOLCHAIN_FILE=codec/native/cmake/zig.cmake \
#         -DEXCAMERA_ZIG_TARGET=aarch64-linux-gnu.2.28
#
# EXCAMERA_ZIG_TARGET  a processor, a system and the oldest of it that the result runs on:
#                      aarch64-linux-gnu.2.28, x86_64-linux-musl, aarch64-macos.14.0; empty builds
#                      for this machine.
# Python_EXECUTABLE    the interpreter that has `ziglang`; scikit-build-core passes its own.

set(EXCAMERA_ZIG_TARGET "" CACHE STRING "Target triple for zig, empty for this machine")
# The compiler checks run in projects of their own, which must see the same settings.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES EXCAMERA_ZIG_TARGET Python_EXECUTABLE)

if(NOT Python_EXECUTABLE)
  find_program(_excamera_python NAMES python3 python REQUIRED)
  set(Python_EXECUTABLE "${_excamera_python}" CACHE FILEPATH "Interpreter that has ziglang")
endif()

if(NOT DEFINED _excamera_zig_checked)
  execute_process(
    COMMAND "${Python_EXECUTABLE}" -m ziglang version
    OUTPUT_VARIABLE _zig_version ERROR_QUIET RESULT_VARIABLE _zig_status)
  if(NOT _zig_status EQUAL 0)
    message(FATAL_ERROR "No C++ compiler: install one (g++ or clang++), or install the PyPI "
      "package `ziglang` for ${Python_EXECUTABLE}.")
  endif()
  set(_excamera_zig_checked TRUE)
endif()

# It accepts -fsanitize=address but has no runtime for it.
set(EXCAMERA_ZIG TRUE)

set(CMAKE_CXX_COMPILER "${Python_EXECUTABLE}" -m ziglang c++)

# zig compiles its own C++ library for each kind of program, which takes longer than the codec does:
# CMake's trials are of one kind with the result. Without -s that library has debug information
# (1.8 MB instead of 0.3).
set(_excamera_zig_kind "-O3 -s")

if(EXCAMERA_ZIG_TARGET)
  if(EXCAMERA_ZIG_TARGET MATCHES "^([a-z0-9_]+)-linux-(gnu|musl)")
    set(CMAKE_SYSTEM_NAME Linux)
  elseif(EXCAMERA_ZIG_TARGET MATCHES "^([a-z0-9_]+)-macos[.]")
    set(CMAKE_SYSTEM_NAME Darwin)
    # zig has what a program links with; CMake would ask Xcode for it.
    set(CMAKE_OSX_SYSROOT "")
    set(CMAKE_INSTALL_NAME_TOOL true)
  else()
    message(FATAL_ERROR "EXCAMERA_ZIG_TARGET=${EXCAMERA_ZIG_TARGET}: neither <cpu>-linux-<libc> "
      "nor <cpu>-macos.<version>")
  endif()
  set(CMAKE_SYSTEM_PROCESSOR "${CMAKE_MATCH_1}")
  set(CMAKE_CXX_FLAGS_INIT "--target=${EXCAMERA_ZIG_TARGET} ${_excamera_zig_kind}")
  set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
else()
  # Without a target zig would tune for this very CPU.
  set(CMAKE_CXX_FLAGS_INIT "-mcpu=baseline ${_excamera_zig_kind}")
endif()

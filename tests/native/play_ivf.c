/* Decodes an IVF file with a library given by its path, for machines without a Python.
 *
 *   play_ivf <libexcamera_codec.so> <file.ivf>
 *
 * Writes every shown frame to stdout: its size in bytes (32 bits, little endian), then I420. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "c_api.h"

enum { IVF_HEADER_BYTES = 32, FRAME_HEADER_BYTES = 12 };

static void* library;

static void fail(const char* what, const char* why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static void* function(const char* name) {
  void* found = dlsym(library, name);
  if (!found) fail(name, dlerror());
  return found;
}

#define FUNCTION(name) __typeof__(&name) name##_ = (__typeof__(&name))function(#name)

static uint32_t little_endian(const uint8_t* bytes) {
  return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void write_frame(const uint8_t* i420, uint32_t size) {
  const uint8_t length[4] = {size & 255, size >> 8 & 255, size >> 16 & 255, size >> 24};
  if (fwrite(length, 1, 4, stdout) != 4 || fwrite(i420, 1, size, stdout) != size) {
    fail("stdout", "cannot be written");
  }
}

/* Two, so that sharing between threads is tested on every architecture, too. */
enum { THREADS = 2 };

static void play(FILE* file) {
  FUNCTION(xc_decode_chunk);
  FUNCTION(xc_parse_frame_start);
  FUNCTION(xc_error_message);
  FUNCTION(xc_raster_width);
  FUNCTION(xc_raster_height);
  FUNCTION(xc_raster_copy_i420);
  FUNCTION(xc_raster_free);
  FUNCTION(xc_state_free);
  xc_state* state = NULL;
  uint8_t header[IVF_HEADER_BYTES];
  if (fread(header, 1, IVF_HEADER_BYTES, file) != IVF_HEADER_BYTES) fail("IVF", "too short");
  while (fread(header, 1, FRAME_HEADER_BYTES, file) == FRAME_HEADER_BYTES) {
    const uint32_t size = little_endian(header);
    uint8_t* frame = malloc(size ? size : 1);
    if (!frame || fread(frame, 1, size, file) != size) fail("IVF", "a frame is cut short");
    const uint8_t* const frames[] = {frame};
    const size_t sizes[] = {size};
    xc_frame_start start;
    xc_state* after = NULL;
    xc_raster* raster = NULL;
    if (xc_parse_frame_start_(frame, size, &start) ||
        xc_decode_chunk_(state, frames, sizes, 1, THREADS, &after, &raster)) {
      fail("a frame", xc_error_message_());
    }
    if (start.show_frame) {
      const uint32_t width = xc_raster_width_(raster), height = xc_raster_height_(raster);
      const uint32_t bytes = width * height + 2 * ((width + 1) / 2) * ((height + 1) / 2);
      uint8_t* i420 = malloc(bytes);
      if (!i420) fail("a frame", "out of memory");
      xc_raster_copy_i420_(raster, i420);
      write_frame(i420, bytes);
      free(i420);
    }
    xc_raster_free_(raster);
    xc_state_free_(state);
    state = after;
    free(frame);
  }
  xc_state_free_(state);
}

int main(int count, char** arguments) {
  if (count != 3) fail("usage", "play_ivf <libexcamera_codec.so> <file.ivf>");
  library = dlopen(arguments[1], RTLD_NOW);
  if (!library) fail("dlopen", dlerror());
  FILE* file = fopen(arguments[2], "rb");
  if (!file) fail(arguments[2], "cannot be opened");
  play(file);
  fclose(file);
  return fflush(stdout) != 0;
}

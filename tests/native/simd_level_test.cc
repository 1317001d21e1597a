// Asking for an instruction set that this machine lacks is an error wherever kernels are used; no
// other set is chosen instead.
#include <cstdlib>
#include <cstring>
#include <string>

#include "c_api.h"
#include "check.h"
#include "common/status.h"
#include "kernels/kernels.h"

using vp8::Status;

int main() {
  const char* variable = "EXCAMERA_CODEC_SIMD";
  const char* found = std::getenv(variable);
  const std::string before = found != nullptr ? found : "";
  setenv(variable, "mmx", 1);
  const char* name = nullptr;
  CHECK(xc_simd_level(&name) == static_cast<int>(Status::kInvalidArgument));
  CHECK(name == nullptr);
  CHECK(std::strstr(xc_error_message(), "reference") != nullptr);
  CHECK(std::strstr(xc_error_message(), "mmx") != nullptr);
  const std::uint8_t pixels[3] = {};
  const std::uint8_t* planes[3] = {pixels, pixels, pixels};
  const std::ptrdiff_t strides[3] = {1, 1, 1};
  xc_raster* raster = nullptr;
  CHECK(xc_raster_new(1, 1, planes, strides, &raster) == 0);
  const xc_encode_settings settings{};
  xc_buffer* frame = nullptr;
  xc_state* state = nullptr;
  // With several threads, too: only the caller's may throw.
  for (const int threads : {1, 3}) {
    CHECK(xc_encode_key_frame(raster, &settings, threads, &frame, &state) ==
          static_cast<int>(Status::kInvalidArgument));
  }
  xc_raster_free(raster);
  setenv(variable, before.c_str(), 1);
  CHECK(xc_simd_level(&name) == 0);
  const std::string wanted =
      before.empty() ? vp8::simd_level_name(vp8::available_levels().back()) : before;
  CHECK(wanted == name);
  return 0;
}

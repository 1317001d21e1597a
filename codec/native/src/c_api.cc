#include "c_api.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bitstream/frame_header.h"
#include "common/status.h"
#include "common/tables.h"
#include "decide/sketch.h"
#include "decide/steady.h"
#include "kernels/kernels.h"
#include "operations/decode.h"
#include "operations/encode.h"
#include "operations/rebase.h"
#include "operations/recode.h"
#include "operations/show.h"

struct xc_raster {
  vp8::SharedRaster value;
};
struct xc_state {
  vp8::SharedState value;
};
struct xc_basis {
  vp8::Basis value;
};
struct xc_sketch {
  vp8::Sketch value;
};
struct xc_buffer {
  std::vector<std::uint8_t> value;
};

namespace {

thread_local std::string last_error;

// Runs `body` and turns what it throws into a status.
template <typename Body>
int guarded(Body&& body) noexcept {
  using vp8::Status;
  Status status = Status::kOk;
  try {
    try {
      body();
    } catch (const vp8::CodecError& error) {
      status = error.status();
      last_error = error.what();
    } catch (const std::bad_alloc&) {
      status = Status::kOutOfMemory;
      last_error = "out of memory";
    } catch (const std::exception& error) {
      status = Status::kInternal;
      last_error = error.what();
    }
  } catch (...) {
    status = Status::kOutOfMemory;  // not even for the message
  }
  return static_cast<int>(status);
}

vp8::BufferCopy copy_of(int32_t value) {
  if (value < 0 || value > 2) {
    throw vp8::CodecError(vp8::Status::kInvalidArgument,
                          "a buffer copy is 0, 1 or 2, not " + std::to_string(value));
  }
  return static_cast<vp8::BufferCopy>(value);
}

std::optional<bool> sign_bias_of(int value) {
  if (value < -1 || value > 1) {
    throw vp8::CodecError(vp8::Status::kInvalidArgument,
                          "a sign bias is 0, 1 or -1, not " + std::to_string(value));
  }
  if (value < 0) return std::nullopt;
  return value != 0;
}

std::optional<vp8::SegmentSettings> segments_of(const xc_segments* segments) {
  if (segments == nullptr) return std::nullopt;
  vp8::SegmentSettings settings;
  std::copy_n(segments->quantizer_deltas, vp8::kMaxSegments, settings.quantizer_deltas.begin());
  std::copy_n(segments->filter_deltas, vp8::kMaxSegments, settings.filter_deltas.begin());
  if (segments->map == nullptr) return settings;
  settings.map =
      std::make_shared<const vp8::SegmentMap>(segments->map, segments->map + segments->map_size);
  return settings;
}

vp8::EncodeSettings settings_of(const xc_encode_settings& settings) {
  return {.y_ac_qi = settings.y_ac_qi,
          .show = settings.show != 0,
          .refresh_entropy = settings.refresh_entropy != 0,
          .refresh_last = settings.refresh_last != 0,
          .refresh_golden = settings.refresh_golden != 0,
          .refresh_altref = settings.refresh_altref != 0,
          .copy_to_golden = copy_of(settings.copy_to_golden),
          .copy_to_altref = copy_of(settings.copy_to_altref),
          .golden_sign_bias = sign_bias_of(settings.golden_sign_bias),
          .altref_sign_bias = sign_bias_of(settings.altref_sign_bias),
          .segments = segments_of(settings.segments),
          .filter_level = settings.filter_level,
          .effort = settings.effort};
}

void hand_over(vp8::EncodedFrame encoded, xc_buffer** frame, xc_state** after) {
  auto state = std::make_unique<xc_state>(xc_state{std::move(encoded.state)});
  *frame = new xc_buffer{std::move(encoded.bytes)};
  *after = state.release();
}

template <typename Handle>
using Handles = std::vector<std::unique_ptr<Handle>>;

template <typename Handle>
void hand_over(Handles<Handle>& handles, Handle** out) {
  for (auto& handle : handles) *out++ = handle.release();
}

int checked_threads(int32_t threads) {
  constexpr int kMaxThreads = 64;
  if (threads < 1 || threads > kMaxThreads) {
    throw vp8::CodecError(vp8::Status::kInvalidArgument,
                          "threads are 1 to 64, not " + std::to_string(threads));
  }
  // Throws if the environment names kernels that are not available: here, and not on one of
  // several threads.
  vp8::kernels();
  return threads;
}

std::vector<vp8::FrameBytes> frames_of(const uint8_t* const* frames, const size_t* sizes,
                                       size_t count) {
  std::vector<vp8::FrameBytes> spans;
  for (size_t i = 0; i < count; ++i) spans.emplace_back(frames[i], sizes[i]);
  return spans;
}

vp8::SharedState state_of(const xc_state* state) { return state ? state->value : nullptr; }

}  // namespace

const char* xc_error_message(void) { return last_error.c_str(); }

const uint16_t* xc_quantizer_steps(void) { return vp8::kAcQuantizerLookup; }

int xc_simd_level(const char** name) {
  return guarded([&] { *name = vp8::simd_level_name(vp8::simd_level()); });
}

size_t xc_buffer_size(const xc_buffer* buffer) { return buffer->value.size(); }
const uint8_t* xc_buffer_data(const xc_buffer* buffer) { return buffer->value.data(); }
void xc_buffer_free(xc_buffer* buffer) { delete buffer; }

int xc_raster_new(int32_t width, int32_t height, const uint8_t* const planes[3],
                  const ptrdiff_t strides[3], xc_raster** raster) {
  return guarded([&] {
    if (width < 1 || width > vp8::kMaxDimension || height < 1 || height > vp8::kMaxDimension) {
      throw vp8::CodecError(vp8::Status::kInvalidArgument,
                            "VP8 holds 1 to 16383 pixels each way, not " + std::to_string(width) +
                                "x" + std::to_string(height));
    }
    auto made = std::make_shared<vp8::Raster>(width, height);
    for (int i = 0; i < vp8::kPlanes; ++i) made->load_plane(i, planes[i], strides[i]);
    *raster = new xc_raster{std::move(made)};
  });
}

void xc_raster_free(xc_raster* raster) { delete raster; }
int32_t xc_raster_width(const xc_raster* raster) { return raster->value->width(); }
int32_t xc_raster_height(const xc_raster* raster) { return raster->value->height(); }

void xc_raster_copy_i420(const xc_raster* raster, uint8_t* out) {
  const vp8::Raster& source = *raster->value;
  for (int i = 0; i < vp8::kPlanes; ++i) {
    const vp8::Plane plane = source.plane(i);
    const auto row_bytes = static_cast<std::size_t>(source.display_width(i));
    for (int y = 0; y < source.display_height(i); ++y) {
      std::memcpy(out, plane.at(0, y), row_bytes);
      out += row_bytes;
    }
  }
}

int xc_raster_equal(const xc_raster* a, const xc_raster* b) {
  return a->value == b->value || vp8::same_picture(*a->value, *b->value);
}

void xc_state_free(xc_state* state) { delete state; }

void xc_state_get_info(const xc_state* state, xc_state_info* info) {
  const vp8::State& s = *state->value;
  *info = {s.width, s.height, s.horizontal_scale, s.vertical_scale, s.color_space, s.clamping_type};
}

xc_raster* xc_state_reference(const xc_state* state, int32_t reference) {
  if (reference < vp8::kLastFrame || reference > vp8::kAltrefFrame) return nullptr;
  return new (std::nothrow)
      xc_raster{state->value->references[static_cast<std::size_t>(reference)]};
}

int xc_state_equal(const xc_state* a, const xc_state* b) {
  return a->value == b->value || *a->value == *b->value;
}

int xc_state_serialize(const xc_state* state, xc_buffer** bytes) {
  return guarded([&] { *bytes = new xc_buffer{vp8::serialize_state(*state->value)}; });
}

int xc_state_deserialize(const uint8_t* data, size_t size, xc_state** state) {
  return guarded([&] { *state = new xc_state{vp8::deserialize_state(data, size)}; });
}

int xc_state_basis(const xc_state* state, xc_basis** basis) {
  return guarded([&] { *basis = new xc_basis{vp8::basis_of(*state->value)}; });
}

void xc_basis_free(xc_basis* basis) { delete basis; }

int xc_parse_frame_start(const uint8_t* data, size_t size, xc_frame_start* start) {
  return guarded([&] {
    const vp8::FrameStart parsed = vp8::parse_frame_start(data, size);
    *start = {parsed.key_frame,
              parsed.version,
              parsed.show_frame,
              static_cast<int32_t>(parsed.first_partition_size),
              parsed.width,
              parsed.height,
              parsed.horizontal_scale,
              parsed.vertical_scale};
  });
}

int xc_decode_chunk(const xc_state* before, const uint8_t* const* frames, const size_t* sizes,
                    size_t count, int32_t threads, xc_state** after, xc_raster** rasters) {
  return guarded([&] {
    vp8::ThreadTeam team(checked_threads(threads));
    Handles<xc_state> states;
    Handles<xc_raster> decoded;
    for (vp8::DecodedFrame& frame :
         vp8::decode_chunk(state_of(before), frames_of(frames, sizes, count), team)) {
      states.push_back(std::make_unique<xc_state>(xc_state{std::move(frame.state)}));
      decoded.push_back(std::make_unique<xc_raster>(xc_raster{std::move(frame.raster)}));
    }
    hand_over(states, after);
    hand_over(decoded, rasters);
  });
}

int xc_advance(const xc_state* before, const uint8_t* const* frames, const size_t* sizes,
               size_t count, int32_t threads, xc_state** after) {
  return guarded([&] {
    vp8::ThreadTeam team(checked_threads(threads));
    *after = new xc_state{vp8::advance(state_of(before), frames_of(frames, sizes, count), team)};
  });
}

int xc_skim(const xc_state* before, const uint8_t* const* frames, const size_t* sizes, size_t count,
            xc_state** after) {
  return guarded(
      [&] { *after = new xc_state{vp8::skim(before->value, frames_of(frames, sizes, count))}; });
}

int xc_encode_key_frame(const xc_raster* source, const xc_encode_settings* settings,
                        int32_t threads, xc_buffer** frame, xc_state** after) {
  return guarded([&] {
    vp8::ThreadTeam team(checked_threads(threads));
    hand_over(vp8::encode_key_frame(source->value, settings_of(*settings), team), frame, after);
  });
}

int xc_encode_inter_frame(const xc_state* before, const xc_raster* source,
                          const xc_encode_settings* settings, int32_t threads, xc_buffer** frame,
                          xc_state** after) {
  return guarded([&] {
    vp8::ThreadTeam team(checked_threads(threads));
    hand_over(vp8::encode_inter_frame(before->value, source->value, settings_of(*settings), team),
              frame, after);
  });
}

int xc_rebase_chunk(const xc_state* before, const xc_raster* const* sources,
                    const uint8_t* const* frames, const size_t* sizes,
                    const xc_basis* const* made_for, size_t count, int32_t threads,
                    xc_buffer** rebased, xc_state** after) {
  return guarded([&] {
    vp8::ThreadTeam team(checked_threads(threads));
    std::vector<vp8::FrameToRebase> chunk;
    for (size_t i = 0; i < count; ++i) {
      chunk.push_back({sources[i]->value, {frames[i], sizes[i]}, &made_for[i]->value});
    }
    vp8::RebasedChunk result = vp8::rebase_chunk(state_of(before), chunk, {}, team);
    Handles<xc_buffer> buffers;
    for (std::vector<std::uint8_t>& bytes : result.frames) {
      buffers.push_back(std::make_unique<xc_buffer>(xc_buffer{std::move(bytes)}));
    }
    *after = new xc_state{std::move(result.state)};
    hand_over(buffers, rebased);
  });
}

int xc_recode(const xc_state* before, const uint8_t* frame, size_t size, const xc_basis* made_for,
              xc_buffer** recoded) {
  return guarded([&] {
    *recoded = new xc_buffer{vp8::recode(*before->value, {frame, size}, made_for->value)};
  });
}

int xc_show_reference(const xc_state* before, int32_t reference, int32_t threads, xc_buffer** frame,
                      xc_state** after) {
  return guarded([&] {
    vp8::ThreadTeam team(checked_threads(threads));
    hand_over(vp8::show_reference(before->value, reference, team), frame, after);
  });
}

int xc_sketch_new(const xc_raster* raster, int32_t halvings, xc_sketch** sketch) {
  return guarded([&] {
    vp8::kernels();  // throws here, and not later
    const vp8::Raster& picture = *raster->value;
    const int chosen = halvings == 0 ? vp8::Sketch::halvings_for(picture) : halvings;
    *sketch = new xc_sketch{vp8::Sketch(picture, chosen)};
  });
}

void xc_sketch_free(xc_sketch* sketch) { delete sketch; }
int32_t xc_sketch_rows(const xc_sketch* sketch) { return sketch->value.rows(); }
int32_t xc_sketch_columns(const xc_sketch* sketch) { return sketch->value.columns(); }

int xc_intra_costs(const xc_sketch* sketch, uint16_t* costs) {
  return guarded([&] { sketch->value.intra_costs(costs); });
}

int xc_find_motion(const xc_sketch* reference, const xc_sketch* picture, uint16_t* costs,
                   int16_t* vectors) {
  static_assert(sizeof(vp8::MotionVector) == 2 * sizeof(int16_t));
  return guarded([&] {
    vp8::find_motion(reference->value, picture->value, costs,
                     reinterpret_cast<vp8::MotionVector*>(vectors));
  });
}

int xc_steady(const xc_raster* picture, const xc_raster* const* neighbours, size_t count,
              int32_t most, int32_t threads, xc_raster** result) {
  return guarded([&] {
    vp8::ThreadTeam team(checked_threads(threads));
    std::vector<vp8::SharedRaster> others;
    for (size_t i = 0; i < count; ++i) others.push_back(neighbours[i]->value);
    *result = new xc_raster{vp8::steady(picture->value, others, most, team)};
  });
}

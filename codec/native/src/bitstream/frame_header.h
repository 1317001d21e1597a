// The frame header (RFC 6386, sections 9 and 19.2).
#pragma once

#include <optional>

#include "bitstream/bool_decoder.h"
#include "bitstream/bool_encoder.h"
#include "common/types.h"

namespace vp8 {

// The uncompressed start of a frame (section 9.1).
struct FrameStart {
  bool key_frame = false;
  int version = 0;
  bool show_frame = true;
  std::size_t first_partition_size = 0;
  // Key frames only:
  int width = 0;
  int height = 0;
  int horizontal_scale = 0;
  int vertical_scale = 0;

  std::size_t size_bytes() const { return key_frame ? 10 : 3; }
};

// Throws CodecError: truncated, invalid (start code, zero size) or unsupported
// (version over 3).
FrameStart parse_frame_start(const std::uint8_t* data, std::size_t size);

// Section 9.3. If `update_data` is set, the new values are in the context.
struct SegmentationHeader {
  bool enabled = false;
  bool update_map = false;
  bool update_data = false;
  std::array<Probability, 3> tree{255, 255, 255};
};

// Section 9.6. Absent entries keep what the state has.
struct LoopFilterHeader {
  bool simple = false;
  int level = 0;
  int sharpness_level = 0;
  bool deltas_enabled = false;
  bool deltas_update = false;
  std::array<std::optional<std::int8_t>, 4> reference_deltas;
  std::array<std::optional<std::int8_t>, 4> mode_deltas;
};

// Quantizer indices (section 9.6): a base and five differences.
struct QuantizerIndices {
  int y_ac_qi = 0;
  int y_dc_delta = 0;
  int y2_dc_delta = 0;
  int y2_ac_delta = 0;
  int uv_dc_delta = 0;
  int uv_ac_delta = 0;

  bool operator==(const QuantizerIndices&) const = default;
};

// Where a reference that is not refreshed is copied from (section 9.7).
enum class BufferCopy : std::uint8_t { kNone, kFromLast, kFromOther };

struct FrameHeader {
  FrameStart start;
  bool color_space = false;
  bool clamping_type = false;
  SegmentationHeader segmentation;
  LoopFilterHeader loop_filter;
  int log2_partitions = 0;
  QuantizerIndices quantizer;
  bool refresh_golden = true;
  bool refresh_altref = true;
  BufferCopy copy_to_golden = BufferCopy::kNone;  // kFromOther: altref
  BufferCopy copy_to_altref = BufferCopy::kNone;  // kFromOther: golden
  bool refresh_entropy = true;
  bool refresh_last = true;
  bool mb_no_skip_coeff = false;
  Probability prob_skip_false = 0;
  Probability prob_intra = 0;
  Probability prob_last = 0;
  Probability prob_golden = 0;

  // The base index of a macroblock in `segment`.
  int quantizer_index(const Segmentation& values, int segment) const;
};

// The context that every key frame starts from.
CodingContext key_frame_context();

// Reads the header from the first partition. `context` is the one before the frame
// (key_frame_context() for a key frame) and becomes the one within the frame.
FrameHeader parse_frame_header(BoolDecoder& decoder, const FrameStart& start,
                               CodingContext& context);

// Writes the header that changes `before` into `context`.
void write_frame_header(BoolEncoder& encoder, const FrameHeader& header,
                        const CodingContext& before, const CodingContext& context);

// The uncompressed start as bytes.
std::vector<std::uint8_t> write_frame_start(const FrameStart& start);

}  // namespace vp8

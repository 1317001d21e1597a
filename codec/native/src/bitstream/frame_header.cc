#include "bitstream/frame_header.h"

#include <string>

#include "common/status.h"
#include "common/tables.h"

namespace vp8 {
namespace {

constexpr int kSegmentQuantizerBits = 7;
constexpr int kSegmentLevelBits = 6;
constexpr int kDeltaBits = 6;

void parse_segmentation(BoolDecoder& decoder, SegmentationHeader& header, Segmentation& values) {
  header.enabled = decoder.read_flag();
  if (!header.enabled) return;
  header.update_map = decoder.read_flag();
  header.update_data = decoder.read_flag();
  if (header.update_data) {
    // Values that are not sent become zero.
    values.absolute = decoder.read_flag();
    for (auto& value : values.quantizer) {
      value = static_cast<std::int8_t>(decoder.read_optional_signed(kSegmentQuantizerBits));
    }
    for (auto& value : values.loop_filter) {
      value = static_cast<std::int8_t>(decoder.read_optional_signed(kSegmentLevelBits));
    }
  }
  if (header.update_map) {
    for (auto& probability : header.tree) {
      probability = decoder.read_flag() ? static_cast<Probability>(decoder.read_literal(8)) : 255;
    }
  }
}

void write_segmentation(BoolEncoder& encoder, const SegmentationHeader& header,
                        const Segmentation& values) {
  encoder.write_flag(header.enabled);
  if (!header.enabled) return;
  encoder.write_flag(header.update_map);
  encoder.write_flag(header.update_data);
  if (header.update_data) {
    encoder.write_flag(values.absolute);
    for (const int value : values.quantizer) {
      encoder.write_optional_signed(value, kSegmentQuantizerBits);
    }
    for (const int value : values.loop_filter) {
      encoder.write_optional_signed(value, kSegmentLevelBits);
    }
  }
  if (header.update_map) {
    for (const Probability probability : header.tree) {
      encoder.write_flag(probability != 255);
      if (probability != 255) encoder.write_literal(probability, 8);
    }
  }
}

void parse_deltas(BoolDecoder& decoder, std::array<std::optional<std::int8_t>, 4>& sent,
                  std::array<std::int8_t, 4>& values) {
  for (std::size_t i = 0; i < 4; ++i) {
    if (!decoder.read_flag()) continue;
    sent[i] = static_cast<std::int8_t>(decoder.read_signed(kDeltaBits));
    values[i] = *sent[i];
  }
}

void write_deltas(BoolEncoder& encoder, const std::array<std::optional<std::int8_t>, 4>& sent) {
  for (const auto& value : sent) {
    encoder.write_flag(value.has_value());
    if (value) encoder.write_signed(*value, kDeltaBits);
  }
}

void parse_loop_filter(BoolDecoder& decoder, LoopFilterHeader& header, LoopFilterDeltas& deltas) {
  header.simple = decoder.read_flag();
  header.level = decoder.read_literal(6);
  header.sharpness_level = decoder.read_literal(3);
  header.deltas_enabled = decoder.read_flag();
  if (!header.deltas_enabled) return;
  header.deltas_update = decoder.read_flag();
  if (!header.deltas_update) return;
  parse_deltas(decoder, header.reference_deltas, deltas.reference);
  parse_deltas(decoder, header.mode_deltas, deltas.mode);
}

void write_loop_filter(BoolEncoder& encoder, const LoopFilterHeader& header) {
  encoder.write_flag(header.simple);
  encoder.write_literal(header.level, 6);
  encoder.write_literal(header.sharpness_level, 3);
  encoder.write_flag(header.deltas_enabled);
  if (!header.deltas_enabled) return;
  encoder.write_flag(header.deltas_update);
  if (!header.deltas_update) return;
  write_deltas(encoder, header.reference_deltas);
  write_deltas(encoder, header.mode_deltas);
}

BufferCopy parse_copy(BoolDecoder& decoder) {
  const int value = decoder.read_literal(2);
  if (value == 3) {
    throw CodecError(Status::kInvalidBitstream,
                     "a reference is copied from a buffer that does not exist");
  }
  return static_cast<BufferCopy>(value);
}

// Each update is behind a flag whose own probability is fixed.
void parse_coefficient_updates(BoolDecoder& decoder, CoefficientProbabilities& tables) {
  for (std::size_t i = 0; i < kBlockTypes; ++i) {
    for (std::size_t j = 0; j < 8; ++j) {
      for (std::size_t k = 0; k < 3; ++k) {
        for (std::size_t t = 0; t < 11; ++t) {
          if (decoder.read(kCoefficientUpdateProbabilities[i][j][k][t])) {
            tables[i][j][k][t] = static_cast<Probability>(decoder.read_literal(8));
          }
        }
      }
    }
  }
}

void write_coefficient_updates(BoolEncoder& encoder, const CoefficientProbabilities& before,
                               const CoefficientProbabilities& after) {
  for (std::size_t i = 0; i < kBlockTypes; ++i) {
    for (std::size_t j = 0; j < 8; ++j) {
      for (std::size_t k = 0; k < 3; ++k) {
        for (std::size_t t = 0; t < 11; ++t) {
          const Probability value = after[i][j][k][t];
          const bool update = value != before[i][j][k][t];
          encoder.write(update, kCoefficientUpdateProbabilities[i][j][k][t]);
          if (update) encoder.write_literal(value, 8);
        }
      }
    }
  }
}

template <std::size_t Count>
void parse_mode_probabilities(BoolDecoder& decoder, std::array<Probability, Count>& tables) {
  if (!decoder.read_flag()) return;
  for (auto& probability : tables) probability = static_cast<Probability>(decoder.read_literal(8));
}

template <std::size_t Count>
void write_mode_probabilities(BoolEncoder& encoder, const std::array<Probability, Count>& before,
                              const std::array<Probability, Count>& after) {
  encoder.write_flag(before != after);
  if (before == after) return;
  for (const Probability probability : after) encoder.write_literal(probability, 8);
}

void parse_mv_updates(BoolDecoder& decoder, MvProbabilities& tables) {
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < MvProbabilityLayout::kCount; ++j) {
      if (!decoder.read(kMvUpdateProbabilities[i][j])) continue;
      const int value = decoder.read_literal(7);
      tables[i][j] = static_cast<Probability>(value != 0 ? value << 1 : 1);
    }
  }
}

void write_mv_updates(BoolEncoder& encoder, const MvProbabilities& before,
                      const MvProbabilities& after) {
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < MvProbabilityLayout::kCount; ++j) {
      const bool update = after[i][j] != before[i][j];
      encoder.write(update, kMvUpdateProbabilities[i][j]);
      if (update) encoder.write_literal(after[i][j] >> 1, 7);
    }
  }
}

void parse_references(BoolDecoder& decoder, FrameHeader& header, SignBias& sign_bias) {
  header.refresh_golden = decoder.read_flag();
  header.refresh_altref = decoder.read_flag();
  if (!header.refresh_golden) header.copy_to_golden = parse_copy(decoder);
  if (!header.refresh_altref) header.copy_to_altref = parse_copy(decoder);
  sign_bias[kGoldenFrame] = decoder.read_flag();
  sign_bias[kAltrefFrame] = decoder.read_flag();
}

void write_references(BoolEncoder& encoder, const FrameHeader& header, const SignBias& sign_bias) {
  encoder.write_flag(header.refresh_golden);
  encoder.write_flag(header.refresh_altref);
  if (!header.refresh_golden) encoder.write_literal(static_cast<int>(header.copy_to_golden), 2);
  if (!header.refresh_altref) encoder.write_literal(static_cast<int>(header.copy_to_altref), 2);
  encoder.write_flag(sign_bias[kGoldenFrame]);
  encoder.write_flag(sign_bias[kAltrefFrame]);
}

QuantizerIndices parse_quantizer(BoolDecoder& decoder) {
  QuantizerIndices indices;
  indices.y_ac_qi = decoder.read_literal(7);
  indices.y_dc_delta = decoder.read_optional_signed(4);
  indices.y2_dc_delta = decoder.read_optional_signed(4);
  indices.y2_ac_delta = decoder.read_optional_signed(4);
  indices.uv_dc_delta = decoder.read_optional_signed(4);
  indices.uv_ac_delta = decoder.read_optional_signed(4);
  return indices;
}

void write_quantizer(BoolEncoder& encoder, const QuantizerIndices& indices) {
  encoder.write_literal(indices.y_ac_qi, 7);
  encoder.write_optional_signed(indices.y_dc_delta, 4);
  encoder.write_optional_signed(indices.y2_dc_delta, 4);
  encoder.write_optional_signed(indices.y2_ac_delta, 4);
  encoder.write_optional_signed(indices.uv_dc_delta, 4);
  encoder.write_optional_signed(indices.uv_ac_delta, 4);
}

}  // namespace

int FrameHeader::quantizer_index(const Segmentation& values, int segment) const {
  if (!segmentation.enabled) return quantizer.y_ac_qi;
  const int value = values.quantizer[static_cast<std::size_t>(segment)];
  return clamp_int(values.absolute ? value : quantizer.y_ac_qi + value, 0, kMaxQuantizerIndex);
}

CodingContext key_frame_context() {
  CodingContext context{};
  context.entropy = kDefaultEntropyTables;
  return context;
}

FrameStart parse_frame_start(const std::uint8_t* data, std::size_t size) {
  if (size < 3) {
    throw CodecError(Status::kTruncatedBitstream,
                     "a frame of " + std::to_string(size) + " bytes has no room for its start");
  }
  const unsigned tag = data[0] | data[1] << 8 | data[2] << 16;
  FrameStart start;
  start.key_frame = (tag & 1) == 0;
  start.version = (tag >> 1) & 7;
  start.show_frame = ((tag >> 4) & 1) != 0;
  start.first_partition_size = tag >> 5;
  if (start.version > 3) {
    throw CodecError(Status::kUnsupportedBitstream,
                     "bitstream version " + std::to_string(start.version) + " is not defined");
  }
  if (!start.key_frame) return start;
  if (size < 10) {
    throw CodecError(Status::kTruncatedBitstream, "the frame ends within a key frame's start");
  }
  if (data[3] != 0x9d || data[4] != 0x01 || data[5] != 0x2a) {
    throw CodecError(Status::kInvalidBitstream, "a key frame lacks its start code");
  }
  start.width = (data[6] | data[7] << 8) & 0x3fff;
  start.horizontal_scale = data[7] >> 6;
  start.height = (data[8] | data[9] << 8) & 0x3fff;
  start.vertical_scale = data[9] >> 6;
  if (start.width == 0 || start.height == 0) {
    throw CodecError(Status::kInvalidBitstream,
                     "a key frame has no pixels: " + std::to_string(start.width) + "x" +
                         std::to_string(start.height));
  }
  return start;
}

std::vector<std::uint8_t> write_frame_start(const FrameStart& start) {
  const unsigned tag = (start.key_frame ? 0u : 1u) | static_cast<unsigned>(start.version) << 1 |
                       (start.show_frame ? 1u : 0u) << 4 |
                       static_cast<unsigned>(start.first_partition_size) << 5;
  const auto byte = [](unsigned value) { return static_cast<std::uint8_t>(value & 0xff); };
  std::vector<std::uint8_t> bytes;
  bytes.reserve(10);
  for (int shift = 0; shift < 24; shift += 8) bytes.push_back(byte(tag >> shift));
  if (start.key_frame) {
    const unsigned width = static_cast<unsigned>(start.width | start.horizontal_scale << 14);
    const unsigned height = static_cast<unsigned>(start.height | start.vertical_scale << 14);
    for (const unsigned value : {0x9du, 0x01u, 0x2au, width, width >> 8, height, height >> 8}) {
      bytes.push_back(byte(value));
    }
  }
  return bytes;
}

FrameHeader parse_frame_header(BoolDecoder& decoder, const FrameStart& start,
                               CodingContext& context) {
  FrameHeader header;
  header.start = start;
  if (start.key_frame) {
    header.color_space = decoder.read_flag();
    header.clamping_type = decoder.read_flag();
  }
  parse_segmentation(decoder, header.segmentation, context.segmentation);
  parse_loop_filter(decoder, header.loop_filter, context.loop_filter_deltas);
  header.log2_partitions = decoder.read_literal(2);
  header.quantizer = parse_quantizer(decoder);
  if (!start.key_frame) parse_references(decoder, header, context.sign_bias);
  header.refresh_entropy = decoder.read_flag();
  if (!start.key_frame) header.refresh_last = decoder.read_flag();
  parse_coefficient_updates(decoder, context.entropy.coefficients);
  header.mb_no_skip_coeff = decoder.read_flag();
  if (header.mb_no_skip_coeff) {
    header.prob_skip_false = static_cast<Probability>(decoder.read_literal(8));
  }
  if (!start.key_frame) {
    header.prob_intra = static_cast<Probability>(decoder.read_literal(8));
    header.prob_last = static_cast<Probability>(decoder.read_literal(8));
    header.prob_golden = static_cast<Probability>(decoder.read_literal(8));
    parse_mode_probabilities(decoder, context.entropy.y_mode);
    parse_mode_probabilities(decoder, context.entropy.uv_mode);
    parse_mv_updates(decoder, context.entropy.motion_vectors);
  }
  if (decoder.overran()) {
    throw CodecError(Status::kTruncatedBitstream, "the first partition ends within its header");
  }
  return header;
}

void write_frame_header(BoolEncoder& encoder, const FrameHeader& header,
                        const CodingContext& before, const CodingContext& context) {
  const bool key_frame = header.start.key_frame;
  if (key_frame) {
    encoder.write_flag(header.color_space);
    encoder.write_flag(header.clamping_type);
  }
  write_segmentation(encoder, header.segmentation, context.segmentation);
  write_loop_filter(encoder, header.loop_filter);
  encoder.write_literal(header.log2_partitions, 2);
  write_quantizer(encoder, header.quantizer);
  if (!key_frame) write_references(encoder, header, context.sign_bias);
  encoder.write_flag(header.refresh_entropy);
  if (!key_frame) encoder.write_flag(header.refresh_last);
  write_coefficient_updates(encoder, before.entropy.coefficients, context.entropy.coefficients);
  encoder.write_flag(header.mb_no_skip_coeff);
  if (header.mb_no_skip_coeff) encoder.write_literal(header.prob_skip_false, 8);
  if (!key_frame) {
    encoder.write_literal(header.prob_intra, 8);
    encoder.write_literal(header.prob_last, 8);
    encoder.write_literal(header.prob_golden, 8);
    write_mode_probabilities(encoder, before.entropy.y_mode, context.entropy.y_mode);
    write_mode_probabilities(encoder, before.entropy.uv_mode, context.entropy.uv_mode);
    write_mv_updates(encoder, before.entropy.motion_vectors, context.entropy.motion_vectors);
  }
}

}  // namespace vp8

#include "picture/state.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "common/status.h"

namespace vp8 {
namespace {

class Writer {
 public:
  void byte(int value) { bytes.push_back(static_cast<std::uint8_t>(value)); }
  void word(int value) {
    byte(value & 0xff);
    byte(value >> 8);
  }
  void append(const void* data, std::size_t size) {
    const auto* begin = static_cast<const std::uint8_t*>(data);
    bytes.insert(bytes.end(), begin, begin + size);
  }
  std::vector<std::uint8_t> bytes;
};

class Reader {
 public:
  Reader(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  const std::uint8_t* take(std::size_t count) {
    if (count > size_) throw CodecError(Status::kInvalidState, "a state ends early");
    const std::uint8_t* taken = data_;
    data_ += count;
    size_ -= count;
    return taken;
  }
  int byte(int limit) {
    const int value = *take(1);
    if (value > limit) {
      throw CodecError(Status::kInvalidState, "a state holds " + std::to_string(value) +
                                                  " but at most " + std::to_string(limit) +
                                                  " is possible");
    }
    return value;
  }
  int word() {
    const std::uint8_t* p = take(2);
    return p[0] | p[1] << 8;
  }
  bool done() const { return size_ == 0; }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

static_assert(sizeof(EntropyTables) == 4 * 8 * 3 * 11 + 2 * 19 + 4 + 3,
              "entropy tables are stored as plain bytes");
static_assert(sizeof(LoopFilterDeltas) == 8);

std::size_t stored_raster_size(const State& state) {
  return static_cast<std::size_t>(state.macroblock_columns()) *
         static_cast<std::size_t>(state.macroblock_rows()) * 384;
}

void write_raster(Writer& writer, const Raster& raster) {
  for (int i = 0; i < kPlanes; ++i) {
    const Plane plane = raster.plane(i);
    for (int y = 0; y < plane.height; ++y) {
      writer.append(plane.at(0, y), static_cast<std::size_t>(plane.width));
    }
  }
}

SharedRaster read_raster(Reader& reader, int width, int height) {
  auto raster = std::make_shared<Raster>(width, height);
  for (int i = 0; i < kPlanes; ++i) {
    const MutablePlane plane = raster->mutable_plane(i);
    for (int y = 0; y < plane.height; ++y) {
      const auto bytes = static_cast<std::size_t>(plane.width);
      std::memcpy(plane.at(0, y), reader.take(bytes), bytes);
    }
  }
  for (int row = 0; row < raster->macroblock_rows(); ++row) raster->extend_row(row);
  return raster;
}

// The number of each reference's stored raster: that of an equal reference before it, or
// the next.
std::array<int, kReferenceFrames> raster_numbers(const State& state) {
  std::array<int, kReferenceFrames> numbers{};
  int count = 0;
  for (int i = kLastFrame; i <= kAltrefFrame; ++i) {
    const auto index = static_cast<std::size_t>(i);
    numbers[index] = -1;
    for (std::size_t j = kLastFrame; j < index && numbers[index] < 0; ++j) {
      const bool same = state.references[j] == state.references[index] ||
                        *state.references[j] == *state.references[index];
      if (same) numbers[index] = numbers[j];
    }
    if (numbers[index] < 0) numbers[index] = count++;
  }
  return numbers;
}

void check_segmentation(const Segmentation& values) {
  for (const int level : values.loop_filter) {
    if (level < -kMaxLoopFilterLevel || level > kMaxLoopFilterLevel) {
      throw CodecError(Status::kInvalidState, "a segment's loop-filter level is out of range");
    }
  }
  for (const int index : values.quantizer) {
    if (index < -kMaxQuantizerIndex) {
      throw CodecError(Status::kInvalidState, "a segment's quantizer is out of range");
    }
  }
}

template <typename Values>
void read_into(Reader& reader, Values& values) {
  std::memcpy(&values, reader.take(sizeof(values)), sizeof(values));
}

}  // namespace

bool State::operator==(const State& other) const {
  const auto fields_equal =
      width == other.width && height == other.height &&
      horizontal_scale == other.horizontal_scale && vertical_scale == other.vertical_scale &&
      color_space == other.color_space && clamping_type == other.clamping_type &&
      context == other.context && *segment_map == *other.segment_map;
  if (!fields_equal) return false;
  for (std::size_t i = kLastFrame; i <= kAltrefFrame; ++i) {
    if (references[i] != other.references[i] && !(*references[i] == *other.references[i])) {
      return false;
    }
  }
  return true;
}

Basis basis_of(const State& state) {
  Basis basis{state, {}};
  for (std::size_t i = kLastFrame; i <= kAltrefFrame; ++i) {
    basis.references[i] = state.references[i]->fingerprint();
  }
  return basis;
}

bool predicts_as(const State& state, const Basis& basis) {
  if (!(state.context.segmentation == basis.context.segmentation) ||
      *state.segment_map != *basis.segment_map) {
    return false;
  }
  for (std::size_t i = kLastFrame; i <= kAltrefFrame; ++i) {
    if (!state.references[i]->has(basis.references[i])) return false;
  }
  return true;
}

std::vector<std::uint8_t> serialize_state(const State& state) {
  const auto numbers = raster_numbers(state);
  const int rasters = *std::max_element(numbers.begin(), numbers.end()) + 1;
  Writer writer;
  writer.bytes.reserve(4096 + state.segment_map->size() +
                       static_cast<std::size_t>(rasters) * stored_raster_size(state));
  writer.word(state.width);
  writer.word(state.height);
  writer.byte(state.horizontal_scale);
  writer.byte(state.vertical_scale);
  writer.byte(state.color_space);
  writer.byte(state.clamping_type);
  writer.byte(state.context.sign_bias[kGoldenFrame]);
  writer.byte(state.context.sign_bias[kAltrefFrame]);
  writer.byte(state.context.segmentation.absolute);
  writer.append(state.context.segmentation.quantizer.data(), kMaxSegments);
  writer.append(state.context.segmentation.loop_filter.data(), kMaxSegments);
  writer.append(&state.context.loop_filter_deltas, sizeof(LoopFilterDeltas));
  writer.append(&state.context.entropy, sizeof(EntropyTables));
  writer.append(state.segment_map->data(), state.segment_map->size());
  int written = 0;
  for (std::size_t i = kLastFrame; i <= kAltrefFrame; ++i) writer.byte(numbers[i]);
  for (std::size_t i = kLastFrame; i <= kAltrefFrame; ++i) {
    if (numbers[i] < written) continue;
    write_raster(writer, *state.references[i]);
    ++written;
  }
  return std::move(writer.bytes);
}

SharedState deserialize_state(const std::uint8_t* data, std::size_t size) {
  Reader reader(data, size);
  auto state = std::make_shared<State>();
  state->width = reader.word();
  state->height = reader.word();
  if (state->width < 1 || state->width > kMaxDimension || state->height < 1 ||
      state->height > kMaxDimension) {
    throw CodecError(Status::kInvalidState, "a state has an impossible size");
  }
  // Checked before anything is allocated: the bytes must hold at least one raster.
  if (size < stored_raster_size(*state)) {
    throw CodecError(Status::kInvalidState, "a state is too short for its size in pixels");
  }
  state->horizontal_scale = reader.byte(3);
  state->vertical_scale = reader.byte(3);
  state->color_space = reader.byte(1) != 0;
  state->clamping_type = reader.byte(1) != 0;
  CodingContext& context = state->context;
  context.sign_bias[kGoldenFrame] = reader.byte(1) != 0;
  context.sign_bias[kAltrefFrame] = reader.byte(1) != 0;
  context.segmentation.absolute = reader.byte(1) != 0;
  read_into(reader, context.segmentation.quantizer);
  read_into(reader, context.segmentation.loop_filter);
  check_segmentation(context.segmentation);
  read_into(reader, context.loop_filter_deltas);
  read_into(reader, context.entropy);

  SegmentMap map(static_cast<std::size_t>(state->macroblock_columns()) *
                 static_cast<std::size_t>(state->macroblock_rows()));
  for (auto& segment : map) segment = static_cast<std::uint8_t>(reader.byte(kMaxSegments - 1));
  state->segment_map = std::make_shared<const SegmentMap>(std::move(map));

  int numbers[kReferenceFrames] = {};
  for (int i = kLastFrame; i <= kAltrefFrame; ++i) numbers[i] = reader.byte(2);
  std::vector<SharedRaster> rasters;
  for (int i = kLastFrame; i <= kAltrefFrame; ++i) {
    const auto number = static_cast<std::size_t>(numbers[i]);
    if (number > rasters.size()) {
      throw CodecError(Status::kInvalidState, "a state's references are out of order");
    }
    if (number == rasters.size()) {
      rasters.push_back(read_raster(reader, state->width, state->height));
    }
    state->references[static_cast<std::size_t>(i)] = rasters[number];
  }
  if (!reader.done()) throw CodecError(Status::kInvalidState, "a state goes on after its end");
  return state;
}

}  // namespace vp8

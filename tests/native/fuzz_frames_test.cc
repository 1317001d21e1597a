// Broken frames and states through the C boundary: statuses come back, and nothing else happens.
// Meant for the sanitizers, which see what a test in Python cannot.
//
//   fuzz_frames_test [rounds] [stream.ivf ...]     default: 200 rounds on streams it makes itself
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "c_api.h"
#include "check.h"

namespace {

using Bytes = std::vector<std::uint8_t>;

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* handle) const {
    Free(handle);
  }
};
using State = std::unique_ptr<xc_state, Freed<xc_state_free>>;
using Raster = std::unique_ptr<xc_raster, Freed<xc_raster_free>>;

Bytes take(xc_buffer* buffer) {
  const std::uint8_t* data = xc_buffer_data(buffer);
  Bytes bytes(data, data + xc_buffer_size(buffer));
  xc_buffer_free(buffer);
  return bytes;
}

// Decodes from a copy of exactly the frame's size, so that a read past it is seen.
int decode(const State& before, const Bytes& frame, State* after, Raster* raster) {
  const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[frame.size()]);
  std::copy(frame.begin(), frame.end(), exact.get());
  xc_state* state = nullptr;
  xc_raster* shown = nullptr;
  const std::uint8_t* const frames[] = {exact.get()};
  const std::size_t sizes[] = {frame.size()};
  // Sometimes with several threads, one of which meets the broken frame.
  const int threads = 1 + static_cast<int>(frame.size() % 3);
  const int status = xc_decode_chunk(before.get(), frames, sizes, 1, threads, &state, &shown);
  if (status != 0) {
    CHECK(std::strlen(xc_error_message()) > 0);
    CHECK(state == nullptr && shown == nullptr);
  }
  after->reset(state);
  raster->reset(shown);
  return status;
}

Bytes mutate(const Bytes& frame, Random& random) {
  Bytes out = frame;
  if (out.empty()) return out;
  switch (random.below(6)) {
    case 0:
      out.resize(random.below(static_cast<int>(out.size())));
      break;
    case 1: {
      const int from = random.below(static_cast<int>(out.size()));
      for (std::size_t i = from; i < out.size(); ++i) {
        out[i] = static_cast<std::uint8_t>(random.below(256));
      }
      break;
    }
    default: {
      const bool header = random.below(2) == 0;
      const int reach = header ? std::min<int>(40, out.size()) : static_cast<int>(out.size());
      for (int flips = random.between(1, 6); flips > 0; --flips) {
        out[random.below(reach)] ^= static_cast<std::uint8_t>(1 << random.below(8));
      }
    }
  }
  // A key frame of another size is legal, but thousands of pixels a side only take long.
  if (out.size() >= 10 && (out[0] & 1) == 0) {
    out[7] &= 0xc0;
    out[9] &= 0xc0;
  }
  return out;
}

void rebase_onto(const State& before, const Raster& source, const Bytes& frame,
                 const State& made_for) {
  xc_buffer* buffer = nullptr;
  xc_state* predicted = nullptr;
  const xc_raster* const sources[] = {source.get()};
  const std::uint8_t* const frames[] = {frame.data()};
  const std::size_t sizes[] = {frame.size()};
  xc_basis* basis = nullptr;
  CHECK(xc_state_basis(made_for.get(), &basis) == 0);
  const int status =
      xc_rebase_chunk(before.get(), sources, frames, sizes, &basis, 1, 2, &buffer, &predicted);
  xc_basis_free(basis);
  if (status != 0) return;
  const State expected(predicted);
  State after;
  Raster raster;
  CHECK(decode(before, take(buffer), &after, &raster) == 0);
  CHECK(xc_state_equal(after.get(), expected.get()));
}

// The first partition written again for other probabilities, and headers read alone.
void recode_onto(const State& before, const Bytes& frame, const State& made_for) {
  xc_basis* basis = nullptr;
  CHECK(xc_state_basis(made_for.get(), &basis) == 0);
  xc_buffer* buffer = nullptr;
  const int status = xc_recode(before.get(), frame.data(), frame.size(), basis, &buffer);
  xc_basis_free(basis);
  if (status == 0) take(buffer);
  const std::uint8_t* const frames[] = {frame.data()};
  const std::size_t sizes[] = {frame.size()};
  xc_state* skimmed = nullptr;
  if (xc_skim(made_for.get(), frames, sizes, 1, &skimmed) != 0) return;
  const State read(skimmed);
  // The same references and other probabilities: this is what recode is for.
  xc_basis* of_read = nullptr;
  CHECK(xc_state_basis(read.get(), &of_read) == 0);
  if (xc_recode(made_for.get(), frame.data(), frame.size(), of_read, &buffer) == 0) take(buffer);
  xc_basis_free(of_read);
}

void break_state(const State& state, const Bytes& frame, Random& random) {
  xc_buffer* buffer = nullptr;
  CHECK(xc_state_serialize(state.get(), &buffer) == 0);
  Bytes bytes = take(buffer);
  if (random.below(3) == 0) {
    bytes.resize(random.below(static_cast<int>(bytes.size())));
  } else {
    const int reach = std::min<int>(1400, bytes.size());
    for (int changes = random.between(1, 8); changes > 0; --changes) {
      bytes[random.below(reach)] = static_cast<std::uint8_t>(random.below(256));
    }
  }
  xc_state* read = nullptr;
  if (xc_state_deserialize(bytes.data(), bytes.size(), &read) != 0) return;
  const State broken(read);
  State after;
  Raster raster;
  decode(broken, frame, &after, &raster);
}

void fuzz(const std::vector<Bytes>& frames, int rounds, Random& random) {
  State before;
  State first;
  for (const Bytes& frame : frames) {
    State after;
    Raster raster;
    CHECK(decode(before, frame, &after, &raster) == 0);
    for (int round = 0; round < rounds; ++round) {
      const Bytes mutated = mutate(frame, random);
      State ignored;
      Raster shown;
      decode(before, mutated, &ignored, &shown);
      if (before && random.below(4) == 0) {
        rebase_onto(first, raster, mutated, before);
        recode_onto(first, mutated, before);
        break_state(before, frame, random);
      }
    }
    if (!first) {
      xc_buffer* buffer = nullptr;
      xc_state* copy = nullptr;
      CHECK(xc_state_serialize(after.get(), &buffer) == 0);
      const Bytes bytes = take(buffer);
      CHECK(xc_state_deserialize(bytes.data(), bytes.size(), &copy) == 0);
      first.reset(copy);
    } else {
      rebase_onto(first, raster, frame, before);
    }
    before = std::move(after);
  }
}

Raster picture(int width, int height, int number) {
  const int chroma_width = (width + 1) / 2;
  const int chroma_height = (height + 1) / 2;
  Bytes y(width * height);
  Bytes u(chroma_width * chroma_height, static_cast<std::uint8_t>(100 + 9 * number));
  const Bytes v(chroma_width * chroma_height, 150);
  for (int row = 0; row < height; ++row) {
    for (int column = 0; column < width; ++column) {
      const double wave = std::sin((row + 2 * number) * 0.3) + std::cos((column + number) * 0.21);
      y[row * width + column] = static_cast<std::uint8_t>(128 + 60 * wave);
    }
  }
  const std::uint8_t* planes[3] = {y.data(), u.data(), v.data()};
  const std::ptrdiff_t strides[3] = {width, chroma_width, chroma_width};
  xc_raster* raster = nullptr;
  CHECK(xc_raster_new(width, height, planes, strides, &raster) == 0);
  return Raster(raster);
}

std::vector<Bytes> own_stream(int width, int height) {
  std::vector<Bytes> frames;
  State state;
  // A key frame with segments, a hidden altref, a frame that leaves no probabilities behind, one
  // that becomes golden, one with the segments of the frame before.
  const Bytes map((width + 15) / 16 * ((height + 15) / 16), 2);
  const xc_segments sent{{-20, 0, 9, 40}, {-9, 0, 3, 12}, map.data(), map.size()};
  xc_segments kept = sent;
  kept.map = nullptr;
  kept.map_size = 0;
  for (int number = 0; number < 5; ++number) {
    xc_encode_settings settings{};
    settings.y_ac_qi = 30;
    settings.show = number != 1;
    settings.refresh_entropy = number != 2;
    settings.refresh_last = number != 1;
    settings.refresh_altref = number == 1;
    settings.refresh_golden = number == 3;
    settings.golden_sign_bias = settings.altref_sign_bias = number - 1 > 1 ? 1 : number - 1;
    settings.filter_level = -1;
    settings.effort = number;
    if (number == 0 || number == 3) settings.segments = &sent;
    if (number == 4) settings.segments = &kept;
    xc_buffer* buffer = nullptr;
    xc_state* after = nullptr;
    const Raster source = picture(width, height, number);
    if (number == 0) {
      CHECK(xc_encode_key_frame(source.get(), &settings, 1, &buffer, &after) == 0);
    } else {
      CHECK(xc_encode_inter_frame(state.get(), source.get(), &settings, 1, &buffer, &after) == 0);
    }
    state.reset(after);
    frames.push_back(take(buffer));
  }
  return frames;
}

std::vector<Bytes> read_ivf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const Bytes data((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  CHECK(data.size() > 32);
  std::vector<Bytes> frames;
  for (std::size_t position = 32; position + 12 <= data.size();) {
    const std::size_t size = data[position] | data[position + 1] << 8 | data[position + 2] << 16;
    CHECK(position + 12 + size <= data.size());
    frames.emplace_back(data.begin() + position + 12, data.begin() + position + 12 + size);
    position += 12 + size;
  }
  return frames;
}

}  // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 200;
  Random random(7);
  for (const auto& [width, height] : {std::pair{1, 1}, {16, 16}, {17, 33}, {61, 47}}) {
    fuzz(own_stream(width, height), rounds, random);
  }
  for (int i = 2; i < count; ++i) fuzz(read_ivf(arguments[i]), rounds, random);
  return 0;
}

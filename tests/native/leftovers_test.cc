// Results do not depend on what memory held before. Rasters, grids and sketches come uninitialised
// from a pool of memory that earlier frames have used: if an operation reads a byte that it has not
// written, the same input gives other bytes now and then.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bitstream/macroblock_grid.h"
#include "check.h"
#include "decide/first_look.h"
#include "decide/sketch.h"
#include "decide/steady.h"
#include "operations/decode.h"
#include "operations/encode.h"
#include "operations/rebase.h"
#include "operations/recode.h"
#include "operations/show.h"

namespace {

using Bytes = std::vector<std::uint8_t>;
using Named = std::vector<std::pair<std::string, Bytes>>;

struct Size {
  int width;
  int height;
};

// Edges within a macroblock, and a column of macroblocks that are all the last of their rows.
constexpr Size kSizes[] = {{85, 61}, {16, 640}};

// One value everywhere, or noise: values below zero are its seeds.
class Leftover {
 public:
  explicit Leftover(int value) : value_(value), noise_(static_cast<std::uint64_t>(1 - value)) {}
  void write(std::uint8_t* bytes, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      bytes[i] = static_cast<std::uint8_t>(value_ >= 0 ? value_ : noise_.below(256));
    }
  }

 private:
  const int value_;
  Random noise_;
};

constexpr int kCorner = 160;
// The corner is one of them: memory that happens to fit changes decisions most.
constexpr int kLeftovers[] = {0, kCorner, 255, -1, -2};

// Leaves what an operation may take, as often as it may: together less than the pool holds.
void leave(const Size& size, Leftover leftover) {
  std::vector<std::unique_ptr<vp8::Raster>> rasters;
  std::vector<vp8::MacroblockGrid> grids;
  std::vector<vp8::Sketch> sketches;
  for (int i = 0; i < 6; ++i) {
    vp8::Raster& raster =
        *rasters.emplace_back(std::make_unique<vp8::Raster>(size.width, size.height));
    for (int p = 0; p < vp8::kPlanes; ++p) {
      const vp8::MutablePlane plane = raster.mutable_plane(p);
      for (int y = -vp8::kRasterBorder; y < plane.height + vp8::kRasterBorder; ++y) {
        leftover.write(plane.at(-vp8::kRasterBorder, y),
                       static_cast<std::size_t>(plane.width + 2 * vp8::kRasterBorder));
      }
    }
  }
  const int rows = rasters[0]->macroblock_rows();
  const int columns = rasters[0]->macroblock_columns();
  for (int i = 0; i < 3; ++i) {
    vp8::MacroblockGrid& grid = grids.emplace_back(rows, columns);
    for (int row = -1; row < rows; ++row) {
      leftover.write(reinterpret_cast<std::uint8_t*>(&grid.at(row, -1)),
                     static_cast<std::size_t>(columns + 1) * sizeof(vp8::MacroblockInfo));
    }
  }
  for (int i = 0; i < 3; ++i) sketches.emplace_back(*rasters[0], 1);
}

// A plain picture with some corners of its macroblocks cut off, as only a prediction from pixels
// above and to the right can have them. Those of the last column are beyond the picture.
int plain_pixel(int x, int y) {
  const int row = y / 16 % 8;
  const bool cut = (row == 1 || row == 4 || row == 6) && x % 16 + std::min(y % 16, 3) >= 15;
  return cut ? kCorner : 100;
}

// Stripes in all directions under noise: predictions of all kinds win here and there.
int striped_pixel(int x, int y, int time, Random& noise) {
  const int kind = y / 16 % 5;
  const int along = kind == 0 ? x + y : kind == 1 ? x - y : kind == 2 ? 2 * x + y : x - 2 * y;
  const int moved = kind == 4 ? (x + time) * 7 ^ y * 5 : along * 9 + time * (y / 80) * 8;
  return 80 + (moved & 63) + noise.below(24);
}

// The two in turn, so that each is badly predicted from the other.
vp8::SharedRaster picture(const Size& size, int time) {
  Random noise(static_cast<std::uint64_t>(time) + 1);
  auto raster = std::make_shared<vp8::Raster>(size.width, size.height);
  for (int p = 0; p < vp8::kPlanes; ++p) {
    const int width = raster->display_width(p);
    Bytes pixels;
    for (int y = 0; y < raster->display_height(p); ++y) {
      for (int x = 0; x < width; ++x) {
        const int value = time % 2 == 0 ? striped_pixel(x, y, time, noise)
                          : p == 0      ? plain_pixel(x, y)
                                        : 128;
        pixels.push_back(static_cast<std::uint8_t>(value));
      }
    }
    raster->load_plane(p, pixels.data(), width);
  }
  return raster;
}

Bytes displayed(const vp8::Raster& raster) {
  Bytes bytes;
  for (int p = 0; p < vp8::kPlanes; ++p) {
    for (int y = 0; y < raster.display_height(p); ++y) {
      const std::uint8_t* row = raster.plane(p).at(0, y);
      bytes.insert(bytes.end(), row, row + raster.display_width(p));
    }
  }
  return bytes;
}

// The results of all operations, each of which finds the leftovers of its own.
class Chain {
 public:
  Chain(const Size& size, int leftover) : size_(size), leftover_(leftover) {}

  Named run(int effort) {
    vp8::EncodeSettings settings;
    settings.effort = effort;
    settings.y_ac_qi = 30;
    vp8::EncodedFrame before = encoded("key", nullptr, 0, settings);
    settings.y_ac_qi = 60;
    vp8::EncodedFrame other = encoded("other key", nullptr, 0, settings);
    std::vector<Bytes> frames;
    std::vector<vp8::SharedState> states{before.state};
    std::vector<vp8::Basis> bases;
    std::vector<vp8::SharedRaster> pictures;
    for (const int qi : {20, 60, 100}) look_first(*before.state, effort, qi);
    for (int time = 1; time < 4; ++time) {
      settings.y_ac_qi = 20 * time;
      settings.refresh_golden = time == 2;
      bases.push_back(vp8::basis_of(*states.back()));
      pictures.push_back(picture(size_, time));
      vp8::EncodedFrame next = encoded("inter", states.back(), time, settings);
      frames.push_back(next.bytes);
      states.push_back(next.state);
    }
    const std::vector<vp8::FrameBytes> coded(frames.begin(), frames.end());
    leave();
    for (const vp8::DecodedFrame& one : vp8::decode_chunk(before.state, coded, team_)) {
      keep("decode", *one.state);
      keep("decoded", displayed(*one.raster));
    }
    leave();
    keep("advance", *vp8::advance(before.state, coded, team_));
    leave();
    const vp8::SharedState skimmed = vp8::skim(before.state, {coded.data(), 1});
    keep("skim", *skimmed);
    leave();
    keep("recode", vp8::recode(*skimmed, coded[0], bases[0]));
    std::vector<vp8::FrameToRebase> chunk;
    for (std::size_t i = 0; i < coded.size(); ++i) {
      chunk.push_back({pictures[i], coded[i], &bases[i]});
    }
    for (const auto& [name, state] :
         {std::pair{"rebase", other.state}, {"rebase onto equal references", skimmed}}) {
      leave();
      const vp8::RebasedChunk rebased = vp8::rebase_chunk(state, chunk, {}, team_);
      for (const Bytes& frame : rebased.frames) keep(name, frame);
      keep(name, *rebased.state);
    }
    leave();
    const vp8::EncodedFrame shown = vp8::show_reference(states.back(), vp8::kGoldenFrame, team_);
    keep("show_reference", shown.bytes);
    keep("show_reference", *shown.state);
    leave();
    keep("steady", displayed(*vp8::steady(pictures[1], {pictures[0], pictures[2]}, 80, team_)));
    leave();
    const vp8::Sketch sketch(*pictures[0], 1);
    const vp8::Sketch next(*pictures[1], 1);
    const auto blocks = static_cast<std::size_t>(sketch.rows() * sketch.columns());
    std::vector<std::uint16_t> costs(2 * blocks);
    std::vector<vp8::MotionVector> vectors(blocks);
    sketch.intra_costs(costs.data());
    vp8::find_motion(sketch, next, costs.data() + blocks, vectors.data());
    keep("sketch", costs);
    keep("sketch", vectors);
    return std::move(results_);
  }

 private:
  void leave() { ::leave(size_, Leftover(leftover_)); }

  void keep(const char* name, const Bytes& bytes) { results_.emplace_back(name, bytes); }
  void keep(const char* name, const vp8::State& state) { keep(name, vp8::serialize_state(state)); }
  template <typename Value>
  void keep(const char* name, const std::vector<Value>& values) {
    Bytes bytes(values.size() * sizeof(Value));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    keep(name, bytes);
  }

  // The probabilities that a first look estimates.
  void look_first(const vp8::State& before, int effort, int qi) {
    const vp8::SharedRaster source = vp8::with_repeated_edges(picture(size_, 1));
    vp8::FrameHeader header;
    header.quantizer.y_ac_qi = qi;
    header.prob_skip_false = header.prob_intra = header.prob_last = header.prob_golden = 128;
    leave();
    vp8::look_first(before, *source, header, before.context, before.segment_map, nullptr,
                    vp8::kEfforts[effort].first_look, team_);
    keep("first look",
         Bytes{header.prob_skip_false, header.prob_intra, header.prob_last, header.prob_golden});
  }

  vp8::EncodedFrame encoded(const char* name, const vp8::SharedState& before, int time,
                            const vp8::EncodeSettings& settings) {
    const vp8::SharedRaster source = picture(size_, time);
    leave();
    vp8::EncodedFrame frame = before == nullptr
                                  ? vp8::encode_key_frame(source, settings, team_)
                                  : vp8::encode_inter_frame(before, source, settings, team_);
    keep(name, frame.bytes);
    keep(name, *frame.state);
    return frame;
  }

  const Size size_;
  const int leftover_;
  vp8::ThreadTeam team_{1};
  Named results_;
};

}  // namespace

int main() {
  for (const Size& size : kSizes) {
    for (int effort = 0; effort <= vp8::kHighestEffort; ++effort) {
      const Named expected = Chain(size, kLeftovers[0]).run(effort);
      for (const int leftover : kLeftovers) {
        const Named found = Chain(size, leftover).run(effort);
        for (std::size_t i = 0; i < found.size(); ++i) {
          if (found[i] == expected[i]) continue;
          std::fprintf(stderr, "%dx%d, effort %d: %s depends on what memory held\n", size.width,
                       size.height, effort, found[i].first.c_str());
          CHECK(found[i] == expected[i]);
        }
      }
    }
  }
  return 0;
}

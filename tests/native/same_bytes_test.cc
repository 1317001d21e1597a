// The same pictures give the same frames on every machine, compiler and instruction set: a worker
// on one architecture may retry the work of a worker on another.
#include <memory>
#include <vector>

#include "c_api.h"
#include "check.h"

namespace {

constexpr int kWidth = 85;
constexpr int kHeight = 61;

// The digests of every build, by effort. Only a change that is meant to change decisions may change
// them.
constexpr std::uint64_t kExpected[] = {0x5158a41d325c6a02, 0xc9f3a896e2443d69, 0x4243e94171e32142,
                                       0x8fea22819d928b3e, 0x2ee31f35f2206f53};

class Digest {
 public:
  void add(const std::uint8_t* data, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) value_ = (value_ ^ data[i]) * 0x100000001b3u;
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325u;  // FNV-1a
};

// Whether a pixel of a page of letters is ink; the page is another one at every time.
bool is_ink(int x, int y, int time) {
  constexpr int kAcross = 6;
  constexpr int kDown = 9;
  Random letters(static_cast<std::uint64_t>((y / kDown) * 64 + x / kAcross + 1000 * time + 1));
  Random shapes(
      static_cast<std::uint64_t>(letters.below(8) * 64 + y % kDown * kAcross + x % kAcross + 1));
  return x % kAcross < 5 && y % kDown < 7 && shapes.below(2) == 0;
}

// Texture that moves, a flat part, noise, letters, and a brighter block that enters.
xc_raster* picture(int time) {
  Random noise(static_cast<std::uint64_t>(time) + 1);
  std::vector<std::uint8_t> planes[3];
  for (int p = 0; p < 3; ++p) {
    const int width = p == 0 ? kWidth : (kWidth + 1) / 2;
    const int height = p == 0 ? kHeight : (kHeight + 1) / 2;
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        int value = 90 + 20 * p;
        if (x > width / 3) value += ((x + 2 * time) * 7 ^ (y + time) * 5) & 63;
        if (x < 9 * time && y > height / 2) value += 60;
        value += noise.below(4);
        if (p == 0 && x < width / 3 && y < height / 2) value = is_ink(x, y, time) ? 30 : 220;
        planes[p].push_back(static_cast<std::uint8_t>(value));
      }
    }
  }
  const std::uint8_t* data[3] = {planes[0].data(), planes[1].data(), planes[2].data()};
  const std::ptrdiff_t strides[3] = {kWidth, (kWidth + 1) / 2, (kWidth + 1) / 2};
  xc_raster* raster = nullptr;
  CHECK(xc_raster_new(kWidth, kHeight, data, strides, &raster) == 0);
  return raster;
}

void add_and_free(Digest& digest, xc_buffer* buffer) {
  digest.add(xc_buffer_data(buffer), xc_buffer_size(buffer));
  xc_buffer_free(buffer);
}

std::uint64_t digest_with(int effort, int threads) {
  Digest digest;
  xc_encode_settings settings{};
  settings.show = settings.refresh_entropy = settings.refresh_last = 1;
  settings.golden_sign_bias = settings.altref_sign_bias = -1;
  settings.filter_level = -1;
  settings.effort = effort;
  std::vector<std::uint8_t> map;
  for (int i = 0; i < ((kWidth + 15) / 16) * ((kHeight + 15) / 16); ++i) map.push_back(i % 4);
  const xc_segments segments{{-12, 0, 9, 20}, {-4, 0, 3, 6}, map.data(), map.size()};
  xc_buffer* frame = nullptr;
  xc_state* made_for = nullptr;
  xc_state* before = nullptr;

  // Two key frames of different quality begin two chains; frames made for the first are rebased
  // onto the second.
  xc_raster* first = picture(0);
  settings.y_ac_qi = 20;
  CHECK(xc_encode_key_frame(first, &settings, threads, &frame, &made_for) == 0);
  add_and_free(digest, frame);
  settings.y_ac_qi = 44;
  CHECK(xc_encode_key_frame(first, &settings, threads, &frame, &before) == 0);
  add_and_free(digest, frame);
  xc_raster_free(first);

  for (int time = 1; time < 6; ++time) {
    xc_raster* source = picture(time);
    settings.y_ac_qi = 20 + 9 * time;
    settings.refresh_golden = time == 2;
    settings.copy_to_altref = time == 3 ? 1 : 0;
    settings.refresh_altref = time == 4;
    settings.show = settings.refresh_last = time != 4;
    settings.segments = time == 4 ? &segments : nullptr;
    xc_state* after = nullptr;
    xc_state* rebased = nullptr;
    xc_basis* basis = nullptr;
    xc_buffer* moved = nullptr;
    CHECK(xc_state_basis(made_for, &basis) == 0);
    CHECK(xc_encode_inter_frame(made_for, source, &settings, threads, &frame, &after) == 0);
    const std::uint8_t* const frames[] = {xc_buffer_data(frame)};
    const std::size_t sizes[] = {xc_buffer_size(frame)};
    CHECK(xc_rebase_chunk(before, &source, frames, sizes, &basis, 1, threads, &moved, &rebased) ==
          0);
    add_and_free(digest, frame);
    add_and_free(digest, moved);
    xc_basis_free(basis);
    xc_state_free(made_for);
    xc_state_free(before);
    xc_raster* around[] = {picture(time - 1), picture(time + 1)};
    xc_raster* calm = nullptr;
    CHECK(xc_steady(source, around, 2, 80, threads, &calm) == 0);
    std::vector<std::uint8_t> pixels(kWidth * kHeight * 2);
    xc_raster_copy_i420(calm, pixels.data());
    digest.add(pixels.data(), pixels.size());
    for (xc_raster* one : {source, calm, around[0], around[1]}) xc_raster_free(one);
    made_for = after;
    before = rebased;
  }
  xc_buffer* bytes = nullptr;
  CHECK(xc_state_serialize(before, &bytes) == 0);
  add_and_free(digest, bytes);
  xc_state_free(made_for);
  xc_state_free(before);
  return digest.value();
}

}  // namespace

int main() {
  std::uint64_t digests[5];
  for (int effort = 0; effort < 5; ++effort) {
    digests[effort] = digest_with(effort, 1);
    std::printf("%016llx\n", static_cast<unsigned long long>(digests[effort]));
    CHECK(digest_with(effort, 3) == digests[effort]);
  }
  for (int effort = 0; effort < 5; ++effort) CHECK(digests[effort] == kExpected[effort]);
  return 0;
}

#include "picture/raster.h"

#include <cstring>

namespace vp8 {

namespace {

// Rows begin on whole cache lines.
constexpr int kLine = static_cast<int>(FrameBuffer::kAlignment);

// Every step is a bijection of `sum`, so two rows that differ in one word never have the
// same sum. The multiplier is 2^64 by the golden ratio, made odd.
std::uint64_t mixed(std::uint64_t sum, std::uint64_t word) {
  sum = (sum ^ word) * 0x9e3779b97f4a7c15;
  return sum ^ sum >> 29;
}

// Four sums side by side; a single one would wait for its multiplications.
struct RowSums {
  static constexpr int kSums = 4;
  std::uint64_t sums[kSums];

  RowSums(int width, int height)
      : sums{static_cast<std::uint64_t>(width), static_cast<std::uint64_t>(height), 2, 3} {}

  void add(const std::uint8_t* row, int width) {
    for (int x = 0; x < width; x += 8) {
      std::uint64_t word;
      std::memcpy(&word, row + x, 8);
      std::uint64_t& sum = sums[x / 8 % kSums];
      sum = mixed(sum, word);
    }
  }
};

}  // namespace

Raster::Raster(int width, int height) : width_(width), height_(height) {
  std::size_t size = 0;
  std::size_t origins[kPlanes];
  for (int i = 0; i < kPlanes; ++i) {
    const int block = i == 0 ? 16 : 8;
    MutablePlane& plane = planes_[i];
    plane.width = macroblock_columns() * block;
    plane.height = macroblock_rows() * block;
    plane.stride = (plane.width + 2 * kRasterBorder + kLine - 1) / kLine * kLine;
    // Pixel (0, 0) is aligned; the border left of it ends the line before.
    size += kLine;
    origins[i] = size + static_cast<std::size_t>(kRasterBorder * plane.stride);
    size += static_cast<std::size_t>(plane.stride) *
            static_cast<std::size_t>(plane.height + 2 * kRasterBorder);
  }
  pixels_ = FrameBuffer(size);
  for (int i = 0; i < kPlanes; ++i) planes_[i].origin = pixels_.data() + origins[i];
}

void Raster::load_plane(int index, const std::uint8_t* source, std::ptrdiff_t source_stride) {
  loaded_planes_ |= 1 << index;
  const MutablePlane plane = mutable_plane(index);
  const int columns = display_width(index);
  const int rows = display_height(index);
  for (int y = 0; y < plane.height; ++y) {
    std::uint8_t* row = plane.at(0, y);
    if (y < rows) {
      std::memcpy(row, source + y * source_stride, static_cast<std::size_t>(columns));
      std::memset(row + columns, row[columns - 1], static_cast<std::size_t>(plane.width - columns));
    } else {
      std::memcpy(row, plane.at(0, rows - 1), static_cast<std::size_t>(plane.width));
    }
  }
}

void Raster::extend_row(int mb_row) {
  for (int i = 0; i < kPlanes; ++i) {
    const MutablePlane plane = mutable_plane(i);
    const int block = i == 0 ? 16 : 8;
    for (int y = mb_row * block; y < (mb_row + 1) * block; ++y) {
      std::uint8_t* row = plane.at(0, y);
      std::memset(row - kRasterBorder, row[0], kRasterBorder);
      std::memset(row + plane.width, row[plane.width - 1], kRasterBorder);
    }
    const auto bytes = static_cast<std::size_t>(plane.width + 2 * kRasterBorder);
    if (mb_row == 0) {
      for (int y = 1; y <= kRasterBorder; ++y) {
        std::memcpy(plane.at(-kRasterBorder, -y), plane.at(-kRasterBorder, 0), bytes);
      }
    }
    if (mb_row + 1 == macroblock_rows()) {
      const std::uint8_t* bottom = plane.at(-kRasterBorder, plane.height - 1);
      for (int y = 0; y < kRasterBorder; ++y) {
        std::memcpy(plane.at(-kRasterBorder, plane.height + y), bottom, bytes);
      }
    }
  }
}

namespace {

// Compares the top left `width` x `height` pixels of two planes.
bool equal_region(const Plane& a, const Plane& b, int width, int height) {
  for (int y = 0; y < height; ++y) {
    if (std::memcmp(a.at(0, y), b.at(0, y), static_cast<std::size_t>(width)) != 0) return false;
  }
  return true;
}

}  // namespace

bool Raster::operator==(const Raster& other) const {
  if (width_ != other.width_ || height_ != other.height_) return false;
  for (int i = 0; i < kPlanes; ++i) {
    const Plane a = plane(i);
    if (!equal_region(a, other.plane(i), a.width, a.height)) return false;
  }
  return true;
}

std::uint64_t Raster::sample() const {
  RowSums of_rows(width_, height_);
  const Plane luma = plane(0);
  for (int y = kMacroblockSize / 2; y < luma.height; y += kMacroblockSize) {
    of_rows.add(luma.at(0, y), luma.width);
  }
  return mixed(mixed(of_rows.sums[0], of_rows.sums[1]), mixed(of_rows.sums[2], of_rows.sums[3]));
}

Fingerprint Raster::fingerprint() const {
  std::call_once(fingerprinted_, [this] {
    RowSums of_rows(width_, height_);
    for (int i = 0; i < kPlanes; ++i) {
      const Plane plane = this->plane(i);
      for (int y = 0; y < plane.height; ++y) of_rows.add(plane.at(0, y), plane.width);
    }
    const std::uint64_t* sums = of_rows.sums;
    fingerprint_ = {sample(), {mixed(sums[0], sums[1]), mixed(sums[2], sums[3])}};
  });
  return fingerprint_;
}

bool Raster::has(const Fingerprint& fingerprint) const {
  return sample() == fingerprint.sample && this->fingerprint() == fingerprint;
}

bool same_picture(const Raster& a, const Raster& b) {
  if (a.width() != b.width() || a.height() != b.height()) return false;
  for (int i = 0; i < kPlanes; ++i) {
    if (!equal_region(a.plane(i), b.plane(i), a.display_width(i), a.display_height(i)))
      return false;
  }
  return true;
}

SharedRaster with_repeated_edges(const SharedRaster& raster) {
  const bool whole =
      raster->width() % kMacroblockSize == 0 && raster->height() % kMacroblockSize == 0;
  if (whole || raster->has_repeated_edges()) return raster;
  auto repeated = std::make_shared<Raster>(raster->width(), raster->height());
  for (int i = 0; i < kPlanes; ++i) {
    const Plane plane = raster->plane(i);
    repeated->load_plane(i, plane.origin, plane.stride);
  }
  return repeated;
}

}  // namespace vp8

// The boolean entropy decoder (RFC 6386, section 7).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "types.h"

namespace vp8 {

// Reads booleans of given probability from one partition.
//
// The window holds 64 bits, left aligned, and is refilled seven or eight bytes at
// a time. Past the end of the data it reads zeros, so that no read can leave the
// buffer; whether that happened is asked once a macroblock with overran().
//
// It is small and its members never have their address taken: a hot loop works on
// a local copy, which then lives in registers, and writes it back.
class BoolDecoder {
 public:
  BoolDecoder() = default;
  BoolDecoder(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  [[gnu::always_inline]] bool read(Probability probability) {
    const std::uint32_t split = 1 + (((range_ - 1) * probability) >> 8);
    if (available_ < 0) [[unlikely]] {
      refill();
    }
    const std::uint64_t big_split = static_cast<std::uint64_t>(split) << 56;
    bool bit;
    if (window_ >= big_split) {
      range_ -= split;
      window_ -= big_split;
      bit = true;
    } else {
      range_ = split;
      bit = false;
    }
    const int shift = std::countl_zero(range_) - 24;
    range_ <<= shift;
    window_ <<= shift;
    available_ -= shift;
    return bit;
  }

  // The sign of `magnitude`, a bit of even odds, without a branch: no one can
  // predict it.
  [[gnu::always_inline]] int read_sign(int magnitude) {
    const std::uint32_t split = (range_ + 1) >> 1;
    if (available_ < 0) [[unlikely]] {
      refill();
    }
    const std::uint64_t big_split = static_cast<std::uint64_t>(split) << 56;
    const auto negative = static_cast<std::uint32_t>(window_ >= big_split);
    const std::uint32_t mask = 0 - negative;
    range_ = split - (mask & (2 * split - range_));
    window_ -= big_split & (0 - static_cast<std::uint64_t>(negative));
    const int shift = std::countl_zero(range_) - 24;
    range_ <<= shift;
    window_ <<= shift;
    available_ -= shift;
    return (magnitude ^ static_cast<int>(mask)) + static_cast<int>(negative);
  }

  bool read_flag() { return read(128); }

  // An unsigned number of `bits` bits, most significant first.
  int read_literal(int bits) {
    int value = 0;
    while (bits-- > 0) value = (value << 1) | static_cast<int>(read_flag());
    return value;
  }

  // A magnitude of `bits` bits and then a sign.
  int read_signed(int bits) {
    const int magnitude = read_literal(bits);
    return read_flag() ? -magnitude : magnitude;
  }

  // A value behind a flag; `absent` where the flag is clear.
  int read_optional_signed(int bits, int absent = 0) {
    return read_flag() ? read_signed(bits) : absent;
  }

  // True once the decoder of section 7.3 (two bytes ahead, then one every eight
  // bits) would have read past the end. Encoders flush enough bytes that this
  // never happens on a whole partition.
  bool overran() const {
    const std::size_t shifted_bits = loaded_ * 8 - static_cast<std::size_t>(available_ + 8);
    return loaded_ != 0 && 2 + shifted_bits / 8 > size_;
  }

 private:
  [[gnu::always_inline]] void refill() {
    const int valid = available_ + 8;  // 0 to 7 bits are left
    if (loaded_ + 8 <= size_) [[likely]] {
      std::uint64_t next;
      std::memcpy(&next, data_ + loaded_, 8);
      if constexpr (std::endian::native == std::endian::little) next = __builtin_bswap64(next);
      // The bits beyond the last whole byte are put in again, the same, next time.
      window_ |= next >> valid;
      const int bytes = (64 - valid) >> 3;
      loaded_ += static_cast<std::size_t>(bytes);
      available_ += 8 * bytes;
      return;
    }
    for (int shift = 56 - valid; shift >= 0; shift -= 8) {
      const std::uint64_t byte = loaded_ < size_ ? data_[loaded_] : 0;
      window_ |= byte << shift;
      ++loaded_;
      available_ += 8;
    }
  }

  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t loaded_ = 0;     // bytes taken, the zeros past the end included
  std::uint64_t window_ = 0;   // the next bits, left aligned
  std::uint32_t range_ = 255;  // 128 to 255 between reads
  int available_ = -8;         // bits in the window beyond the first eight
};

}  // namespace vp8

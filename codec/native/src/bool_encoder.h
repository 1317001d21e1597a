// The boolean entropy encoder (RFC 6386, section 7).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "types.h"

namespace vp8 {

class BoolEncoder {
 public:
  void write(bool bit, Probability probability) {
    const std::uint32_t split = 1 + (((range_ - 1) * probability) >> 8);
    if (bit) {
      low_ += split;
      range_ -= split;
    } else {
      range_ = split;
    }
    int shift = std::countl_zero(range_) - 24;
    range_ <<= shift;
    pending_ += shift;
    if (pending_ >= 0) {
      // One byte is complete: what is left of `shift` goes in after it is out.
      const int after = pending_;
      const int before = shift - after;
      const std::uint64_t value = static_cast<std::uint64_t>(low_) << before;
      if (value >> 32) propagate_carry();
      bytes_.push_back(static_cast<std::uint8_t>(value >> 24));
      low_ = static_cast<std::uint32_t>(value & 0xffffff);
      shift = after;
      pending_ -= 8;
    }
    low_ <<= shift;
  }

  void write_flag(bool bit) { write(bit, 128); }

  void write_literal(int value, int bits) {
    while (bits-- > 0) write_flag((value >> bits) & 1);
  }

  void write_signed(int value, int bits) {
    write_literal(value < 0 ? -value : value, bits);
    write_flag(value < 0);
  }

  void write_optional_signed(int value, int bits) {
    write_flag(value != 0);
    if (value != 0) write_signed(value, bits);
  }

  // Ends the partition with as many bits as the decoder looks ahead.
  std::vector<std::uint8_t> finish() {
    for (int i = 0; i < 32; ++i) write_flag(false);
    return std::move(bytes_);
  }

 private:
  void propagate_carry() {
    std::size_t i = bytes_.size();
    while (i > 0 && bytes_[i - 1] == 255) bytes_[--i] = 0;
    if (i > 0) ++bytes_[i - 1];
  }

  std::vector<std::uint8_t> bytes_;
  std::uint32_t low_ = 0;
  std::uint32_t range_ = 255;
  int pending_ = -24;  // bits until the next whole byte, negative
};

}  // namespace vp8

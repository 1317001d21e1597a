// How much is tried before a macroblock is coded: one row for each level of effort.
//
// A new level is a new row here, and a setting that picks it: EncodeSettings and
// RebaseSettings carry a row down to the deciders.
#pragma once

namespace vp8 {

// How far the search for one motion vector goes.
struct VectorEffort {
  int first_step_px;   // of whole pixels; halved until it is 1
  int moves;           // at most so many with each step of whole pixels
  int fraction_moves;  // at most so many with a step of a half pixel, and of a quarter
};

// How a macroblock is decided from nothing.
struct SearchEffort {
  VectorEffort whole;     // for the macroblock
  VectorEffort split;     // for its halves and quarters
  VectorEffort smallest;  // for its 4x4 parts
  // Fractions of a pixel are searched only if whole pixels cost less than so many
  // quarters of what they cost in the best reference so far.
  int fraction_quarters;
  // At most so many inter candidates are coded to the end, and none that costs more
  // than so many halves of the best.
  int finalists;
  int finalist_halves;
  bool splits;           // SPLITMV is tried
  bool smallest_splits;  // and in 4x4 parts, if larger ones won
  bool subblock_intra;   // B_PRED is tried even if an inter candidate is the best so far
  int filter_step;       // first step of the search for the frame's filter level
};

// How a macroblock is decided that was decided before, against other references.
struct RepeatEffort {
  bool splits;  // an old SPLITMV is tried
  // Intra modes are tried if the absolute difference of one is less than so many halves
  // of the inter candidate's.
  int promising_halves;
  // Chroma is not coded if it differs by less than so many quantizer steps in all. At 3,
  // something of it would have been coded in one macroblock of five thousand at low
  // rates, and in one of five hundred at high ones.
  int chroma_steps;
};

// ADR 15 has the measurements behind these numbers.
inline constexpr SearchEffort kStandardSearch{
    .whole = {.first_step_px = 8, .moves = 16, .fraction_moves = 2},
    .split = {.first_step_px = 2, .moves = 16, .fraction_moves = 2},
    .smallest = {.first_step_px = 2, .moves = 16, .fraction_moves = 1},
    .fraction_quarters = 5,
    .finalists = 3,
    .finalist_halves = 3,
    .splits = true,
    .smallest_splits = true,
    .subblock_intra = true,
    .filter_step = 8,
};
inline constexpr RepeatEffort kStandardRepeat{
    .splits = true,
    .promising_halves = 3,
    .chroma_steps = 3,
};

}  // namespace vp8

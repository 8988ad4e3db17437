#include "training/data/street_fonts.h"

#include <bellows/error.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <system_error>
#include <type_traits>
#include <utility>

#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_OUTLINE_H

namespace bellows {
namespace {

constexpr int kDigits = 10;

// Closes what FreeType opens.
struct Library {
  Library() {
    if (FT_Init_FreeType(&handle) != 0) {
      throw Error(ErrorCode::kOutOfMemory, "FreeType cannot be started: not enough memory");
    }
  }
  ~Library() { FT_Done_FreeType(handle); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  FT_Library handle = nullptr;
};

struct Face {
  Face(const Library& library, const std::filesystem::path& file) {
    if (FT_New_Face(library.handle, file.c_str(), 0, &handle) != 0) handle = nullptr;
  }
  ~Face() {
    if (handle != nullptr) FT_Done_Face(handle);
  }
  Face(const Face&) = delete;
  Face& operator=(const Face&) = delete;
  FT_Face handle = nullptr;
};

// An outline in units of the height of a 0.
struct Glyph {
  std::vector<MaskPoint> points;
  // Signed or not, as the version of FreeType has it.
  std::vector<std::remove_pointer_t<decltype(FT_Outline::tags)>> tags;
  std::vector<std::remove_pointer_t<decltype(FT_Outline::contours)>> contours;
  int flags = 0;
  StreetFonts::Extent extent;
};

using Digits = std::array<Glyph, kDigits>;

bool is_font(const std::filesystem::path& file) {
  const std::string ending = file.extension().string();
  for (const char* known : {".ttf", ".otf", ".t1", ".pfb"}) {
    if (ending == known) return true;
  }
  return false;
}

// Sorted, so that the order does not depend on the file system's.
std::vector<std::filesystem::path> font_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code failed;
  for (std::filesystem::recursive_directory_iterator
           entry(folder, std::filesystem::directory_options::skip_permission_denied, failed),
       end;
       !failed && entry != end; entry.increment(failed)) {
    if (entry->is_regular_file(failed) && is_font(entry->path())) files.push_back(entry->path());
  }
  std::ranges::sort(files);
  return files;
}

bool read_glyph(FT_Face face, int digit, Glyph& glyph) {
  const int code = '0' + digit;
  const FT_UInt index = FT_Get_Char_Index(face, static_cast<FT_ULong>(code));
  if (index == 0 || FT_Load_Glyph(face, index, FT_LOAD_NO_SCALE) != 0) return false;
  const FT_Outline& outline = face->glyph->outline;
  if (face->glyph->format != FT_GLYPH_FORMAT_OUTLINE || outline.n_points < 3) return false;
  for (int i = 0; i < outline.n_points; ++i) {
    glyph.points.push_back(
        {static_cast<float>(outline.points[i].x), static_cast<float>(outline.points[i].y)});
    glyph.tags.push_back(outline.tags[i]);
  }
  glyph.contours.assign(outline.contours, outline.contours + outline.n_contours);
  glyph.flags = outline.flags;
  FT_BBox box;
  FT_Outline_Get_CBox(&outline, &box);
  glyph.extent = {static_cast<float>(face->glyph->metrics.horiAdvance),
                  static_cast<float>(box.xMin), static_cast<float>(box.xMax),
                  static_cast<float>(box.yMin), static_cast<float>(box.yMax)};
  return true;
}

void scale(Glyph& glyph, float factor) {
  for (MaskPoint& point : glyph.points) point = {point.x * factor, point.y * factor};
  StreetFonts::Extent& extent = glyph.extent;
  for (float* value : {&extent.advance, &extent.left, &extent.right, &extent.bottom, &extent.top}) {
    *value *= factor;
  }
}

// The area that a glyph inks, roughly: control points of curves count as corners.
float ink(const Glyph& glyph) {
  float area = 0;
  std::size_t first = 0;
  for (const auto end : glyph.contours) {
    const auto last = static_cast<std::size_t>(end);
    for (std::size_t i = first; i <= last; ++i) {
      const MaskPoint& here = glyph.points[i];
      const MaskPoint& next = glyph.points[i == last ? first : i + 1];
      area += (here.x * next.y - next.x * here.y) / 2;
    }
    first = last + 1;
  }
  return std::abs(area);
}

// Left out, since no house has such numbers: other signs in the places of digits, digits that do
// not stand in a line, digits in boxes or made of dots, and hairlines.
bool plausible(const Digits& digits) {
  for (const Glyph& glyph : digits) {
    const StreetFonts::Extent& extent = glyph.extent;
    const float height = extent.top - extent.bottom;
    const float width = extent.right - extent.left;
    if (height < 0.6F || height > 1.6F || width < 0.08F || width > 1.4F) return false;
    if (extent.advance < 0.6F * width) return false;
    if (glyph.contours.size() > 3) return false;
  }
  const StreetFonts::Extent& eight = digits[8].extent;
  return ink(digits[8]) > 0.2F * (eight.right - eight.left) * (eight.top - eight.bottom);
}

bool read_digits(FT_Face face, Digits& digits) {
  if (FT_IS_SCALABLE(face) == 0 || FT_Select_Charmap(face, FT_ENCODING_UNICODE) != 0) return false;
  for (int digit = 0; digit < kDigits; ++digit) {
    if (!read_glyph(face, digit, digits[static_cast<std::size_t>(digit)])) return false;
  }
  const float height = digits[0].extent.top - digits[0].extent.bottom;
  if (height <= 0) return false;
  for (Glyph& glyph : digits) scale(glyph, 1 / height);
  return plausible(digits);
}

}  // namespace

struct StreetFonts::State {
  std::vector<std::string> names;
  std::vector<Digits> faces;
};

StreetFonts::StreetFonts(const std::filesystem::path& folder) : state_(std::make_unique<State>()) {
  const Library library;
  std::map<std::string, Digits> found;
  for (const std::filesystem::path& file : font_files(folder)) {
    const Face face(library, file);
    if (face.handle == nullptr || face.handle->family_name == nullptr) continue;
    const char* style = face.handle->style_name == nullptr ? "" : face.handle->style_name;
    std::string name = std::string(face.handle->family_name) + " " + style;
    Digits digits;
    if (found.contains(name) || !read_digits(face.handle, digits)) continue;
    found.emplace(std::move(name), std::move(digits));
  }
  if (found.size() < kFewest) {
    throw Error(ErrorCode::kNotFound,
                "there are " + std::to_string(found.size()) + " fonts with digits in '" +
                    folder.string() + "', at least " + std::to_string(kFewest) +
                    " are needed; install some with third_party/install.sh --fonts");
  }
  for (auto& [name, digits] : found) {
    state_->names.push_back(name);
    state_->faces.push_back(std::move(digits));
  }
}

StreetFonts::~StreetFonts() = default;

std::size_t StreetFonts::size() const { return state_->names.size(); }
const std::vector<std::string>& StreetFonts::names() const { return state_->names; }

const StreetFonts::Extent& StreetFonts::extent(std::size_t face, int digit) const {
  return state_->faces[face][static_cast<std::size_t>(digit)].extent;
}

void StreetFonts::draw(std::size_t face, int digit,
                       const std::function<MaskPoint(MaskPoint)>& place, Mask& mask) const {
  // FreeType's objects belong to one thread each.
  thread_local const Library kLibrary;
  const Glyph& glyph = state_->faces[face][static_cast<std::size_t>(digit)];
  std::vector<FT_Vector> points;
  points.reserve(glyph.points.size());
  // Far outside nothing is seen, and FreeType's coordinates end.
  const auto fixed = [&](float value) {
    return static_cast<FT_Pos>(std::lround(std::clamp(value, -400.0F, 400.0F) * 64));
  };
  for (const MaskPoint& point : glyph.points) {
    const MaskPoint placed = place(point);
    points.push_back({fixed(placed.x), fixed(static_cast<float>(mask.side) - placed.y)});
  }
  auto tags = glyph.tags;
  auto contours = glyph.contours;
  FT_Outline outline{};
  outline.n_points = static_cast<decltype(outline.n_points)>(points.size());
  outline.n_contours = static_cast<decltype(outline.n_contours)>(contours.size());
  outline.points = points.data();
  outline.tags = tags.data();
  outline.contours = contours.data();
  outline.flags = glyph.flags;
  std::vector<std::uint8_t> pixels(mask.values.size(), 0);
  FT_Bitmap bitmap{};
  bitmap.rows = static_cast<unsigned>(mask.side);
  bitmap.width = static_cast<unsigned>(mask.side);
  bitmap.pitch = mask.side;
  bitmap.buffer = pixels.data();
  bitmap.num_grays = 256;
  bitmap.pixel_mode = FT_PIXEL_MODE_GRAY;
  // A shape that FreeType cannot fill stays unseen.
  if (FT_Outline_Get_Bitmap(kLibrary.handle, &outline, &bitmap) != 0) return;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    mask.values[i] = std::min(1.0F, mask.values[i] + static_cast<float>(pixels[i]) / 255.0F);
  }
}

}  // namespace bellows

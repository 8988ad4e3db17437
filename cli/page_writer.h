// The parts that report pages are written of: tables, charts and text, all of it escaped.
#pragma once

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bellows::cli {

inline constexpr const char* kUnknown = "\xe2\x80\x93";    // an en dash
inline constexpr const char* kMicroseconds = "\xc2\xb5s";  // with the sign for micro
inline constexpr const char* kMicrojoules = "\xc2\xb5J";

/// `text` as it stands in HTML, between tags as well as in quotes. What is not UTF-8 is mended.
[[nodiscard]] std::string html_text(std::string_view text);

/// As the content of a script: nothing in it can end that.
[[nodiscard]] std::string script_json(const nlohmann::ordered_json& value);

[[nodiscard]] std::string joined(const std::vector<std::string>& texts, const char* between);

/// <name>text</name>
[[nodiscard]] std::string element(const char* name, const std::string& text);
[[nodiscard]] std::string note(const std::string& text);
/// A PNG file's bytes as a picture within the page.
[[nodiscard]] std::string picture(const std::string& png, const std::string& description);

// Cells of tables; what is not known is a dash.
template <class Text>
std::string text_or_unknown(const std::optional<double>& value, const Text& text) {
  return value && std::isfinite(*value) ? text(*value) : kUnknown;
}
[[nodiscard]] std::string share_cell(const std::optional<double>& share);
/// With as many digits behind the point as leave three that say something.
[[nodiscard]] std::string number_cell(const std::optional<double>& value);
[[nodiscard]] std::string loss_cell(const std::optional<double>& loss);
[[nodiscard]] std::string count_cell(const std::optional<double>& count);
[[nodiscard]] std::string bytes_cell(const std::optional<double>& bytes);

/// A table under a heading, which scrolls by itself where the screen is narrow.
class HtmlTable {
 public:
  HtmlTable(const std::string& heading, const std::vector<std::string>& titles, bool numbers = true)
      : columns_(titles.size()), numbers_(numbers) {
    text_ = element("h3", heading) +
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" +
            html_text(heading) + "\">\n<table>\n<thead><tr>";
    for (const std::string& title : titles) text_ += cell("th scope=\"col\"", "th", title);
    text_ += "</tr></thead>\n<tbody>\n";
  }

  // REQUIRES: as many cells as titles. The first names the row.
  void add(const std::vector<std::string>& cells) {
    text_ += "<tr>" + cell("th scope=\"row\"", "th", cells.at(0));
    for (std::size_t i = 1; i < columns_; ++i) text_ += cell("td", "td", cells.at(i));
    text_ += "</tr>\n";
  }

  [[nodiscard]] std::string text() const { return text_ + "</tbody>\n</table>\n</div>\n"; }

 private:
  [[nodiscard]] std::string cell(const char* begin, const char* name,
                                 const std::string& text) const {
    return std::string("<") + begin + (numbers_ ? " class=\"number\">" : ">") + html_text(text) +
           "</" + name + ">";
  }

  std::size_t columns_;
  bool numbers_;
  std::string text_;
};

struct Axis {
  const char* title = "";
  const char* unit = "";
  bool compact = false;              // 2.1M for 2,100,000
  bool whole = false;                // no fractions
  std::optional<double> limit = {};  // values end here, and so does the axis
  std::optional<double> min = {};
  std::optional<double> max = {};
  std::optional<double> step = {};  // between marks
  bool may_be_logarithmic = false;  // where values lie far apart
  bool logarithmic = false;         // where they are all above 0
};

inline constexpr Axis kAccuracyAxis = {.title = "accuracy", .unit = "%", .limit = 100};

struct Point {
  double x = 0;
  std::optional<double> y = {};  // none: the line is interrupted here
  std::string note = {};         // what it stands for, shown when it is pointed at
  std::string label = {};        // written beside it
};

struct Series {
  std::string name;
  std::string colour;
  int dash = 0;
  int marker = 0;
  bool line = true;
  bool markers = true;
  bool stepped = false;  // each value holds until the next
  std::vector<Point> points = {};
};

/// Of the style sheet's, in turns.
[[nodiscard]] std::string colour(std::size_t index);

// The page while it is being written: its sections, and the charts that belong into them.
class Page {
 public:
  // A group of charts; those without any point are left out.
  class Charts {
   public:
    /// Side by side, one low one below the other (such as time lines), or one below the other with
    /// room for much.
    enum class Layout { kBeside, kWide, kLarge };
    Charts(Page& page, Layout layout) : page_(page), layout_(layout) {}
    void add(const std::string& title, const Axis& x, const Axis& y, std::vector<Series> series);
    [[nodiscard]] std::string text() const {
      if (text_.empty()) return "";
      return std::string("<div class=\"charts") + kClasses[static_cast<std::size_t>(layout_)] +
             "\">\n" + text_ + "</div>\n";
    }

   private:
    static constexpr std::array kClasses = {"", " wide", " large"};

    Page& page_;
    Layout layout_;
    std::string text_;
  };

  void add_section(const std::string& title, const std::string& content) {
    sections += "<section>\n" + element("h2", title) + content + "</section>\n";
  }

  std::string sections;
  nlohmann::ordered_json charts = nlohmann::ordered_json::array();
};

}  // namespace bellows::cli

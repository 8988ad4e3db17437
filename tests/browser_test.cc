#include "cli/browser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/headless_browser.h"
#include "tests/report_files.h"
#include "training/data/png_image.h"

namespace bellows::cli {
namespace {

// A variable of the environment that has another value, or none, while this lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1);
  }
  ~Variable() { old_ ? ::setenv(name_, old_->c_str(), 1) : ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

TEST(Browser, IsTheOneThatIsNamedOrTheFirstAlongThePath) {
  const std::filesystem::path folder = fresh_folder();
  const Variable path("PATH", (folder.string() + "/a:" + folder.string() + "/b").c_str());
  const Variable unnamed("BELLOWS_BROWSER", nullptr);
  EXPECT_EQ(find_browser(), std::nullopt);
  for (const char* name : {"a/chromium", "b/chromium", "a/google-chrome"}) {
    write_text(folder / name, "#!/bin/false\n");
  }
  const auto executable = std::filesystem::perms::owner_all;
  std::filesystem::permissions(folder / "a/google-chrome", executable);
  EXPECT_EQ(find_browser(), folder / "a/google-chrome");
  std::filesystem::permissions(folder / "b/chromium", executable);
  EXPECT_EQ(find_browser(), folder / "b/chromium");
  const Variable named("BELLOWS_BROWSER", "/somewhere/else");
  EXPECT_EQ(find_browser(), "/somewhere/else");
}

TEST(Browser, AddressesFilesWhateverTheirNames) {
  EXPECT_EQ(file_address("/a folder/50%#?\xc3\xa9.html"),
            "file:///a%20folder/50%25%23%3F%C3%A9.html");
}

TEST(Browser, SaysHowToGetOneWhereItIsMissing) {
  const std::filesystem::path picture = fresh_folder() / "picture.png";
  const Variable path("PATH", "/nowhere");
  const Variable unnamed("BELLOWS_BROWSER", nullptr);
  expect_error(ErrorCode::kNotFound, {"picture.png", "apt-get install chromium", "BELLOWS_BROWSER"},
               [&] { save_picture("about:blank", 100, 100, picture); });
}

TEST(Browser, LeavesAnOlderPictureAloneWhenItFails) {
  const auto picture = write_text(fresh_folder() / "picture.png", "old");
  for (const char* program : {"/bin/false", "/bin/true", "/nowhere/chromium"}) {
    const Variable named("BELLOWS_BROWSER", program);
    expect_error(ErrorCode::kIoError, {"picture.png", program},
                 [&] { save_picture("about:blank", 100, 100, picture); });
  }
  EXPECT_EQ(read_file(picture), bytes_of("old"));
}

TEST(Browser, DrawsTwoPixelsToEachOfAPage) {
  BELLOWS_SKIP_WITHOUT_BROWSER();
  const std::filesystem::path folder = fresh_folder();
  const auto page = write_text(folder / "a page.html",
                               "<body style='margin:0;background:#00f'>"
                               "<div style='height:50px;background:#f00'></div>");
  save_picture(file_address(page), 600, 200, folder / "picture.png");
  const PngImage image = read_png(folder / "picture.png", 3);
  ASSERT_EQ(image.shape.width, 1200);
  ASSERT_EQ(image.shape.height, 400);
  // Channel, row, column: red ends and blue begins at row 100.
  const auto at = [&](int channel, int row) {
    return image
        .pixels[(static_cast<std::size_t>(channel) * 400 + static_cast<std::size_t>(row)) * 1200 +
                600];
  };
  EXPECT_EQ(at(0, 98), 255);
  EXPECT_EQ(at(2, 98), 0);
  EXPECT_EQ(at(0, 101), 0);
  EXPECT_EQ(at(2, 101), 255);
}

}  // namespace
}  // namespace bellows::cli

// A web browser that draws pages without a window: Chromium, where it is installed.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace bellows::cli {

/// The program: what the variable BELLOWS_BROWSER names, or the first of Chromium's usual names
/// that is found along PATH.
[[nodiscard]] std::optional<std::filesystem::path> find_browser();

/// `file` as the address of a page.
[[nodiscard]] std::string file_address(const std::filesystem::path& file);

/// Options with which the browser draws without a window, keeps its files in `folder` and fetches
/// nothing on its own.
[[nodiscard]] std::vector<std::string> browser_options(const std::filesystem::path& folder);

/// Draws what a window of `width` x `height` CSS pixels shows of the page at `address`, two pixels
/// to each, and writes it as PNG to `picture`, atomically. Throws Error: kNotFound without a
/// browser; kIoError when it fails, takes longer than a minute, or `picture` cannot be written.
void save_picture(const std::string& address, int width, int height,
                  const std::filesystem::path& picture);

}  // namespace bellows::cli

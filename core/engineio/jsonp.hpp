#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/transport/http.hpp"

// Polling by <script> and <form>, for pages that can't ask across origins otherwise.
namespace moonwire::engineio::jsonp {

/// The number of the page's callback if the request is JSONP's: the digits of its `j`.
std::optional<std::string> index_of(const transport::HttpRequest& request);

/// The script that hands `payload` to the page's callback.
std::string script(std::string_view index, std::string_view payload);

/// What a form's `d` says, its newlines restored: browsers rewrite those of a text area, so clients
/// send each as `\n`, and `\n` as `\\n`. Nothing without a `d`.
std::optional<std::string> payload_of(std::string_view form);

}  // namespace moonwire::engineio::jsonp

#pragma once

#include <boost/system/result.hpp>
#include <stdexcept>
#include <string>

namespace moonwire {

/// Why something that may fail in normal life failed, in words for the person who caused it.
struct Error {
    std::string message;
};

[[noreturn]] inline void throw_exception_from_error(const Error& error,
                                                    const boost::source_location&) {
    throw std::runtime_error(error.message);
}

/// A value or an Error. Peer input travels by Result: it never throws across a layer.
template <typename T>
using Result = boost::system::result<T, Error>;

}  // namespace moonwire

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

/// What a run does. The numbers that a scenario stands for are in options.cpp; the command line
/// may change each.
struct Options {
    enum class Pattern {
        broadcast,  // publishers send to rooms, members receive
        request,    // clients send and are acknowledged
        storm,      // clients connect and leave as fast as the server allows
        idle,       // clients connect and stay
    };

    std::string scenario = {};
    Pattern pattern = Pattern::broadcast;
    std::uint16_t port = 0;
    std::vector<int> pids = {};  // the server's processes
    double warmup_seconds = 1;
    double seconds = 3;
    double rate = 100;            // events a second in all, whatever becomes of them
    std::uint32_t tick_us = 0;    // events leave together that are due in the same; 0: each alone
    std::size_t rooms = 1;        // broadcast
    std::size_t members = 1000;   // broadcast: in each room
    std::size_t clients = 100;    // request, storm (at a time), idle
    std::size_t idle = 0;         // beside those: connected, and nothing else
    std::size_t payload = 64;     // bytes of an event's JSON object, about
    std::size_t commuters = 0;    // request: spawned before, for queries
    std::string event = "pub";    // or what is requested
    bool polling = false;
    bool tls = false;
    bool deflate = false;

    /// Ends the program where the command line is wrong.
    static Options parse(int argc, char** argv);
};

}  // namespace bench

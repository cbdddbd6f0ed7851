local ns = namespace "/tenant/:name"
require "lib.echo"(ns)

# pagevault::warnings: what every target of ours compiles with.
add_library(pagevault_warnings INTERFACE)
add_library(pagevault::warnings ALIAS pagevault_warnings)
target_compile_options(pagevault_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast -Wcast-qual
  -Wnon-virtual-dtor -Woverloaded-virtual -Wnull-dereference -Wformat=2 -Wundef
  $<$<BOOL:${PAGEVAULT_WERROR}>:-Werror>)

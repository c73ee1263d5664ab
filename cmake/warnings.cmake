# pagevault::warnings: what every target of ours compiles with.
add_library(pagevault_warnings INTERFACE)
add_library(pagevault::warnings ALIAS pagevault_warnings)
target_compile_options(pagevault_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast -Wcast-qual
  -Wnon-virtual-dtor -Woverloaded-virtual -Wnull-dereference -Wformat=2 -Wundef
  $<$<BOOL:${PAGEVAULT_WERROR}>:-Werror>)

# In a unity build g++ takes each source for a header, whose anonymous namespaces would be a fault.
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(pagevault_warnings INTERFACE -Wno-subobject-linkage)
endif()

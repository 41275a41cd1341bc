# Turns INPUT into OUTPUT: page_html[] and page_html_size.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUTPUT} "#include <stddef.h>\n\nextern const unsigned char page_html[];\nextern const size_t page_html_size;\n
const unsigned char page_html[] = {${bytes}};\nconst size_t page_html_size = sizeof(page_html);\n")

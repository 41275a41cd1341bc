#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_svg.py FILE: the picture of a pool has to be XML that a browser draws by itself. Prints how
many cells it has, and the tooltip of each that has something in it."""
import sys
import xml.etree.ElementTree as tree

SVG = '{http://www.w3.org/2000/svg}'

root = tree.parse(sys.argv[1]).getroot()
assert root.tag == SVG + 'svg', root.tag
width, height = (float(root.get(key)) for key in ('width', 'height'))
assert [float(n) for n in root.get('viewBox').split()] == [0, 0, width, height]
for element in root.iter():
    for key, value in element.attrib.items():
        assert 'href' not in key and '//' not in value, (key, value)  # nothing from elsewhere
    for key in ('x', 'width'):
        assert element.get(key, '0').endswith('%') or -100 <= float(element.get(key, 0)) <= width
    for key in ('y', 'height'):
        assert element.get(key, '0').endswith('%') or -100 <= float(element.get(key, 0)) <= height

cells = [group for group in root.iter(SVG + 'g') if group.find(SVG + 'title') is not None]
print(len(cells))
for cell in cells:
    title = cell.find(SVG + 'title').text
    if not title.endswith('\nfree'):
        print(title.replace('\n', '; '))

"""Tables drawn.

- `bars`: figures with one bar a grid point.
- `canvas`: how every figure looks, and how it becomes SVG that is the same every time.
- `contrast_figures`: engines, numbers of GPUs, formats.
- `draw_all`: what the tables say, drawn; a figure without data gives its reason instead.

Public: `DrawnFigure`, `draw_all`, `standalone`.
"""

// Package reports draws what the bench measured: figures for a README or a paper, as PNG
// and SVG, from bench.Result files.
//
//   - reports.go: [Figures], which makes every figure that the data allow.
//   - data.go: results of one scenario put together; medians and their spread.
//   - latency.go, prediction.go, timeline.go, cdf.go, cost.go, failover.go: one kind each.
//   - figure.go: the page: title, what ran, legend, panels, notes. panel.go: one panel, its
//     axes, lines and points. event.go: what happened, over time.
//   - axis.go: ticks and numbers. words.go: what ran, where. style.go: fonts, colours,
//     markers, dashes.
//
// Start with latency.go: the other kinds have its shape. A figure says on itself what ran,
// where and how often, so that it can be taken out of its context.
//
// # Imports
//
// bench and gonum.org/v1/plot.
//
// # Rejected
//
// gonum's own legend and grid of plots: the legend lies over the data, and the grid has no
// rows of different heights. Error bars of one standard deviation: with three to five
// repetitions the smallest and the largest are the honest spread. Bars for latencies: on a
// logarithmic axis their length means nothing. Fonts embedded in SVG: half a megabyte a
// figure; the fonts named instead have the same widths wherever one of them exists.
package reports

// Draws the charts that the page describes, in its colours, with Chart.js.
'use strict';

(() => {
  const charts = JSON.parse(document.getElementById('charts').textContent);
  const markers = ['circle', 'rectRot', 'triangle', 'rect', 'star'];
  const dashes = [[], [6, 4], [2, 3], [8, 3, 2, 3]];
  const numbers = new Intl.NumberFormat('en', {maximumSignificantDigits: 5});
  const shortNumbers = new Intl.NumberFormat('en', {notation: 'compact'});

  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();

  const withUnit = (axis, value) => numbers.format(value) + (axis.unit ? ' ' + axis.unit : '');

  // The next 1, 2 or 5 times a power of ten below or above: where a logarithmic axis has its ends and
  // labels.
  function roundValue(value, above) {
    const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
    const steps = [1, 2, 5, 10].map((digit) => digit * power);
    return above ? steps.find((step) => step >= value * (1 - 1e-9))
                 : steps.reverse().find((step) => step <= value * (1 + 1e-9));
  }

  function scale(axis, isX) {
    const format = (value) => (axis.compact ? shortNumbers : numbers).format(value);
    const title = axis.title + (axis.unit ? ' (' + axis.unit + ')' : '');
    const result = {
      type: axis.logarithmic ? 'logarithmic' : 'linear',
      title: {display: true, text: title, color: colour('faint')},
      grid: {color: colour('line'), borderColor: colour('line')},
      ticks: {color: colour('faint'), maxRotation: 0, autoSkipPadding: 12},
      grace: isX ? 0 : '5%',
      min: axis.min,
      max: axis.max,
    };
    result.ticks.callback = format;
    if (axis.whole) result.ticks.precision = 0;
    if (axis.step !== undefined) result.ticks.stepSize = axis.step;
    if (axis.logarithmic) {
      result.bounds = 'data';
      result.afterDataLimits = (limits) => {
        if (!(limits.min > 0)) return;
        limits.min = roundValue(limits.min, false);
        limits.max = roundValue(limits.max, true);
      };
      result.afterBuildTicks = (built) => {
        if (!(built.min > 0)) return;
        built.ticks = [];
        for (let value = built.min; value <= built.max; value = roundValue(1.01 * value, true)) {
          built.ticks.push({value});
        }
      };
    }
    if (axis.limit !== undefined) {
      result.afterDataLimits = (limits) => {
        limits.max = Math.min(limits.max, axis.limit);
      };
    }
    return result;
  }

  function dataset(series) {
    const own = colour(series.colour);
    const many = series.points.length > 100;
    return {
      label: series.name,
      data: series.points.map(([x, y, note, label]) => ({x, y, note, label})),
      borderColor: own,
      backgroundColor: own,
      borderDash: dashes[series.dash % dashes.length],
      borderWidth: 2,
      showLine: series.line,
      stepped: series.stepped,
      pointStyle: series.markers ? markers[series.marker % markers.length] : 'line',
      pointRadius: series.markers ? (many ? 2 : 4) : 0,
      pointHoverRadius: 7,
      pointHitRadius: 10,
    };
  }

  // Writes the points' labels beside them, where they do not cover others.
  const labels = {
    id: 'labels',
    afterDatasetsDraw(chart) {
      const context = chart.ctx;
      const height = 10;
      const taken = [];
      const free = (x, y, width) => !taken.some((other) =>
        x < other.x + other.width && other.x < x + width && Math.abs(y - other.y) < height);
      context.save();
      context.font = height + 'px ' + Chart.defaults.font.family;
      context.fillStyle = colour('faint');
      // A rim of the background keeps letters readable on top of markers.
      context.strokeStyle = colour('card');
      context.lineWidth = 3;
      context.lineJoin = 'round';
      chart.data.datasets.forEach((set, index) => {
        const places = chart.getDatasetMeta(index).data;
        set.data.forEach((point, i) => {
          if (!point.label) return;
          const width = context.measureText(point.label).width;
          const inside = places[i].x + 6 + width <= chart.chartArea.right;
          const x = inside ? places[i].x + 6 : places[i].x - 6 - width;
          const y = places[i].y - 4;
          if (!free(x, y, width)) return;
          taken.push({x, y, width});
          context.strokeText(point.label, x, y);
          context.fillText(point.label, x, y);
        });
      });
      context.restore();
    },
  };

  function draw(chart) {
    const text = (item) => {
      const {note, x, y} = item.raw;
      return [item.dataset.label + (note ? ', ' + note : ''),
        withUnit(chart.x, x) + '; ' + withUnit(chart.y, y)];
    };
    const y = scale(chart.y, false);
    // Time lines stand below each other, so that their times should, too.
    if (chart.x.max !== undefined) {
      y.afterFit = (fitted) => {
        fitted.width = Math.max(fitted.width, 56);
      };
    }
    return new Chart(document.getElementById(chart.id), {
      type: 'line',
      data: {datasets: chart.series.map(dataset)},
      plugins: [labels],
      options: {
        animation: false,
        maintainAspectRatio: false,
        interaction: {mode: 'nearest', intersect: true},
        scales: {x: scale(chart.x, true), y},
        plugins: {
          legend: {
            position: 'bottom',
            labels: {color: colour('text'), usePointStyle: true, boxHeight: 7, padding: 12},
          },
          tooltip: {displayColors: false, callbacks: {title: () => '', label: text}},
        },
      },
    });
  }

  let drawn = [];
  function drawAll() {
    for (const chart of drawn) chart.destroy();
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    drawn = charts.map(draw);
  }

  if (location.hash === '#picture') document.documentElement.classList.add('picture');
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
  drawAll();
})();

// Two rows of bars, as SVG: requests a second, and what a request costs. It is read in light and dark pages alike.

const LEFT = 150;
const BAR = 240;
const STEP = 26;
const TOP = 46;

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

function bars(all, left, title, figure, show) {
  const most = Math.max(...all.map(({ measured }) => measured[figure] ?? 0));
  const rows = all.map(({ name, measured }, at) => {
    const value = measured[figure];
    if (!value) return '';
    const [y, width] = [TOP + at * STEP, (value / most) * BAR];
    const colour = name.startsWith('hallpass') ? '#2f6fde' : '#9aa3ad';
    return (
      `<rect x="${left}" y="${y}" width="${width.toFixed(1)}" height="${STEP - 8}" rx="3" fill="${colour}"/>` +
      `<text x="${(left + width + 6).toFixed(1)}" y="${y + 13}">${show(value)}</text>`
    );
  });
  return `<text x="${left}" y="${TOP - 16}" font-weight="600">${title}</text>${rows.join('')}`;
}

/** What was measured, without the way that has no proxy: it is no choice. */
export function plot(measured) {
  const all = measured.filter((one) => one.measured.cpu_us);
  const names = all.map(({ name }, at) => `<text x="${LEFT - 10}" y="${TOP + at * STEP + 13}" text-anchor="end">${escape(name)}</text>`);
  const second = LEFT + BAR + 80;
  const [width, height] = [second + BAR + 60, TOP + all.length * STEP + 10];
  const thousands = (value) => Math.round(value).toLocaleString('en');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img"
  font-family="system-ui, sans-serif" font-size="13" fill="#1f2328">
<title>Requests a second on one processor, and processor time of a request</title>
<rect width="100%" height="100%" fill="#ffffff"/>
${names.join('\n')}
${bars(all, LEFT, 'requests a second, one processor', 'per_second', thousands)}
${bars(all, second, 'µs of a processor a request', 'cpu_us', (value) => value.toFixed(1))}
</svg>
`;
}

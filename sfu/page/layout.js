/**
 * Where tiles go: pure geometry, in CSS pixels, so that it can be tested without a page.
 * Tiles are placed by rectangle instead of by document order: a tile that changes its place keeps its element, hence its
 * playing video, its focus and its place in the reading order.
 */

const GAP = 10;
/** Cameras are 16:9 nearly everywhere; a tile may cut that to 4:3, on a narrow stage to a square, so that phones are filled. */
const WIDE = 16 / 9;
const TALLEST = 4 / 3;
const TALLEST_NARROW = 1;
/** Below this a face is not made out any more. */
const SMALLEST = 84;
/** Oneself on a phone is held upright. */
const UPRIGHT = 3 / 4;

/** The rectangles of `count` equal tiles that fill `width` x `height` best: `[{ x, y, width, height }]`. */
export function grid(count, width, height, gap = GAP) {
  if (count === 0 || width <= 0 || height <= 0) return [];
  let best = { area: -1 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const cell = {
      width: (width - gap * (columns - 1)) / columns,
      height: (height - gap * (rows - 1)) / rows,
    };
    const size = fit(cell.width, cell.height, width < height ? TALLEST_NARROW : TALLEST);
    const area = size.width * size.height;
    if (size.width > 0 && area > best.area) best = { area, columns, rows, ...size };
  }
  if (best.area <= 0) return [];
  return place(count, best, width, height, gap);
}

/** The largest tile in a cell whose shape lies between the tallest and the wide one. */
function fit(width, height, tallest) {
  if (width <= 0 || height <= 0) return { width: 0, height: 0 };
  const shape = Math.min(WIDE, Math.max(tallest, width / height));
  return width / height > shape ? { width: height * shape, height } : { width, height: width / shape };
}

/** Rows are centred, the last and shorter one too. */
function place(count, { columns, rows, width, height }, stageWidth, stageHeight, gap) {
  const top = (stageHeight - rows * height - (rows - 1) * gap) / 2;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = row === rows - 1 ? count - row * columns : columns;
    const left = (stageWidth - inRow * width - (inRow - 1) * gap) / 2;
    return rectangle(left + (index % columns) * (width + gap), top + row * (height + gap), width, height);
  });
}

/**
 * One large tile and the others beside it (wide stages) or below it (narrow ones).
 * Returns `{ large, others, hidden }`: `hidden` tiles found no room in the strip.
 */
export function spotlight(others, width, height, gap = GAP) {
  if (others === 0) return { large: rectangle(0, 0, width, height), others: [], hidden: 0 };
  const beside = width > height * 1.15;
  return beside ? stripBeside(others, width, height, gap) : stripBelow(others, width, height, gap);
}

function stripBeside(others, width, height, gap) {
  const column = Math.round(Math.min(240, Math.max(120, width * 0.19)));
  const tile = { width: column, height: column / WIDE };
  const fits = Math.max(1, Math.floor((height + gap) / (tile.height + gap)));
  const shown = Math.min(others, fits);
  const top = (height - shown * tile.height - (shown - 1) * gap) / 2;
  return {
    large: rectangle(0, 0, width - column - gap, height),
    others: Array.from({ length: shown }, (_, index) =>
      rectangle(width - column, top + index * (tile.height + gap), tile.width, tile.height),
    ),
    hidden: others - shown,
  };
}

/** On a phone there is room below for a grid, which shows more people than a row would. */
function stripBelow(others, width, height, gap) {
  const largeHeight = Math.round(Math.min(height * 0.62, Math.max(height * 0.35, width / TALLEST)));
  const left = height - largeHeight - gap;
  const columns = Math.max(1, Math.floor((width + gap) / (SMALLEST + gap)));
  const rows = Math.max(1, Math.floor((left + gap) / (SMALLEST + gap)));
  const shown = Math.min(others, columns * rows);
  return {
    large: rectangle(0, 0, width, largeHeight),
    others: grid(shown, width, left, gap).map((tile) => ({ ...tile, y: tile.y + largeHeight + gap })),
    hidden: others - shown,
  };
}

/** A conversation of two: the other fills the stage, oneself is a small picture in its corner. */
export function duet(width, height) {
  const narrow = width < height;
  const small = Math.min(narrow ? width * 0.3 : width * 0.2, 260);
  const shape = narrow ? UPRIGHT : WIDE;
  const inset = 14;
  return {
    large: rectangle(0, 0, width, height),
    small: rectangle(width - small - inset, height - small / shape - inset, small, small / shape),
  };
}

function rectangle(x, y, width, height) {
  return { x: Math.round(x), y: Math.round(y), width: Math.floor(width), height: Math.floor(height) };
}

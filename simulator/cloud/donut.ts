/** The program the scripted model writes when asked for a donut: a torus as one still frame. */
export const DONUT_PROGRAM = `// A torus in ASCII, shaded by how far its surface turns to the light.
const WIDTH = 80;
const HEIGHT = 24;
const SHADES = ".,-~:;=!*#$@";
const TILT = 0.75;
const ROLL = 0.3;

const picture = new Array(WIDTH * HEIGHT).fill(" ");
const nearest = new Array(WIDTH * HEIGHT).fill(0);

for (let around = 0; around < 2 * Math.PI; around += 0.02) {
  for (let along = 0; along < 2 * Math.PI; along += 0.007) {
    const ring = Math.cos(around) + 2;
    const height =
      Math.sin(along) * ring * Math.cos(TILT) - Math.sin(around) * Math.sin(TILT);
    const depth =
      1 / (Math.sin(along) * ring * Math.sin(TILT) + Math.sin(around) * Math.cos(TILT) + 5);
    const x = Math.floor(
      WIDTH / 2 + 38 * depth * (Math.cos(along) * ring * Math.cos(ROLL) - height * Math.sin(ROLL)),
    );
    const y = Math.floor(
      HEIGHT / 2 + 1 + 17 * depth * (Math.cos(along) * ring * Math.sin(ROLL) + height * Math.cos(ROLL)),
    );
    const light =
      (Math.sin(around) * Math.sin(TILT) - Math.sin(along) * Math.cos(around) * Math.cos(TILT)) *
        Math.cos(ROLL) -
      Math.sin(along) * Math.cos(around) * Math.sin(TILT) -
      Math.sin(around) * Math.cos(TILT) -
      Math.cos(along) * Math.cos(around) * Math.sin(ROLL);
    const cell = y * WIDTH + x;
    if (x < 0 || x >= WIDTH || y < 0 || y >= HEIGHT || depth <= nearest[cell]) continue;
    nearest[cell] = depth;
    picture[cell] = SHADES[Math.max(0, Math.min(SHADES.length - 1, Math.floor(light * 8)))];
  }
}

for (let row = 0; row < HEIGHT; row += 1) {
  console.log(picture.slice(row * WIDTH, (row + 1) * WIDTH).join("").trimEnd());
}
`;

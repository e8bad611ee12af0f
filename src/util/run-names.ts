import { randomHex } from "./ids.ts";

const predicates =
  "able agile amused ample balanced bold brave breezy bright brisk calm capable caring casual charming cheerful chill civil clean clever colorful crisp curious dapper daring dashing dazzling debonair defiant delicate delightful eager earnest easy elegant enchanting fearless festive fierce flawless fluent fortunate fun gaudy gentle gifted glad gleaming glorious graceful gracious grand grateful happy hardy honest hopeful humble inquisitive jolly jovial judicious keen kind languid lean learned lively loyal lucky luminous magnificent marvelous masked mellow merciful mercurial merry mighty modest monumental mysterious neat nimble noble nosy orderly painted patient peaceful persistent placid polite popular powerful proud quick quiet rare rebellious receptive redolent resilient righteous rogue salty sassy secretive selective serious shivering silent sincere skittish smiling smooth sneaky spiffy spirited stately steady swift tasteful thoughtful thundering tidy traveling trusting unique upbeat useful valuable vaunted victorious vivid welcoming whimsical wise witty wistful youthful zealous".split(
    " ",
  );

const nouns =
  "ant ape asp auk bass bat bear bee bird boar bug calf carp cat chimp cod colt conch cow crab crane croc crow cub deer dog dolphin donkey dove duck eel elk fawn finch fish flea fly foal fowl fox frog gnat gnu goat goose grouse grub gull hare hawk hen heron hog horse hound jay kit kite koi lamb lark loon lynx mare midge mink mole moose moth mouse mule newt otter owl ox panda penguin perch pig pug quail ram rat ray robin roo rook seal shad shark sheep shoat shrew shrike shrimp skink skunk sloth slug smelt snail snake snipe sow sponge squid squirrel stag steed stoat stork swan tern toad trout turtle vole wasp whale wolf worm wren yak zebra".split(
    " ",
  );

const maxLength = 20;

/** A run name in MLflow's form, adjective-animal-number, at most 20 characters (mlflow/utils/name_utils.py). */
export function randomRunName(): string {
  for (;;) {
    const random = randomHex(8);
    const name = `${pick(predicates, random.slice(0, 5))}-${pick(nouns, random.slice(5, 10))}-${Number.parseInt(random.slice(10), 16) % 1001}`;
    if (name.length <= maxLength) return name;
  }
}

function pick(words: readonly string[], hex: string): string {
  return words[Number.parseInt(hex, 16) % words.length] ?? "";
}

// Columns of whole numbers, as html/columns.rs writes them: base64, seven bits a byte, least first.

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

function numbersOf(base64, count) {
  const bytes = bytesOf(base64);
  const numbers = new Float64Array(count ?? bytes.reduce((sum, byte) => sum + (byte < 0x80), 0));
  let at = 0;
  for (let place = 0; place < numbers.length; place++) {
    let byte = bytes[at++];
    let number = byte & 0x7f;
    // Multiplied, not shifted: a shift would cut at 32 bits.
    for (let weight = 0x80; byte & 0x80; weight *= 0x80) {
      byte = bytes[at++];
      number += (byte & 0x7f) * weight;
    }
    numbers[place] = number;
  }
  return numbers;
}

// 0, 1, 2, 3, 4 as 0, -1, 1, -2, 2.
function step(number) {
  return number % 2 ? -(number + 1) / 2 : number / 2;
}

// Steps as the numbers they lead to.
function running(steps, origin) {
  let sum = origin;
  return steps.map((number) => (sum += step(number)));
}

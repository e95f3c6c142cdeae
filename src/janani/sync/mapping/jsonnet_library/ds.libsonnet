// What modules written for DataSonnet call on their argument `ds`.
local one_or_two(f, item, index) = if std.length(f) == 1 then f(item) else f(item, index);
{
  filter(items, f):: [items[i] for i in std.range(0, std.length(items) - 1) if one_or_two(f, items[i], i)],
  map(items, f):: [one_or_two(f, items[i], i) for i in std.range(0, std.length(items) - 1)],
  flatMap(items, f):: std.flattenArrays(self.map(items, f)),
  lower(text):: std.asciiLower(text),
  upper(text):: std.asciiUpper(text),
  trim(text):: std.stripChars(text, ' \t\r\n'),
  splitBy(text, separator):: std.split(text, separator),
  isBlank(text):: text == null || self.trim(text) == '',
  isEmpty(items):: std.length(items) == 0,
}

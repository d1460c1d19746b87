"""What plugins must keep, rule by rule: tables, which pytest's classes and ``glottis check`` go through alike."""
